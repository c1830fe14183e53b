"""What a user gets from httpx and httpx2 is the same with nbtokens and without it."""

from __future__ import annotations

import gzip
import json
import threading
import zlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from clients import CHAT_REQUEST, Client, Http, Result, entered, items, settled
from servers import Answer, ScriptedServer, as_events, as_json, event, joined

import nbtokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgers import Ledger

PATH: Final = "/v1/chat/completions"
USAGE: Final = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
DOCUMENT: Final = {
    "id": "chatcmpl-1",
    "model": "gpt-5",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Grüße"}, "finish_reason": "stop"}],
    "usage": USAGE,
}
PIECES: Final = (
    event({"model": "gpt-5", "choices": [{"index": 0, "delta": {"content": "Grüße"}}]}),
    b": a comment\n\n",
    event({"model": "gpt-5", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": USAGE})
    + b"data: [DONE]\n\n",
)


def raw_deflate(body: bytes) -> bytes:
    """Deflate without zlib's header, as some servers send it."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def stored_brotli(body: bytes) -> bytes:
    """A brotli stream of one uncompressed block (RFC 7932, section 9)."""
    size = len(body) - 1
    bits = 0b0 | 0 << 1 | 0 << 2 | size << 4 | 1 << 20  # window 16, not last, 4 nibbles of length, uncompressed
    return bits.to_bytes(3, "little") + body + b"\x03"


ENCODINGS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "raw-deflate": raw_deflate,
    "br": stored_brotli,
    "identity": bytes,
}
BODY: Final = json.dumps(DOCUMENT, ensure_ascii=False).encode()


def encoded(name: str, body: bytes, kind: str) -> Answer:
    packed = ENCODINGS[name](body)
    headers = {"content-type": kind, "content-encoding": name.removeprefix("raw-")}
    return Answer(headers=headers, pieces=[packed[:20], packed[20:]])


ANSWERS: Final = {
    "plain": as_json(DOCUMENT, x_custom="kept"),
    "events": as_events(*PIECES),
    "empty": Answer(),
    "latin-1": Answer("Grüße".encode("latin-1"), headers={"content-type": "text/plain; charset=latin-1"}),
    **{name: encoded(name, BODY, "application/json") for name in ENCODINGS},
    "gzip-events": encoded("gzip", joined(PIECES), "text/event-stream"),
}
WAYS: Final = ("plain", "read", "iter_raw", "iter_bytes", "iter_text", "iter_lines", "in sevens", "twice")


async def parts_of(http: Http, response: Result, way: str) -> list[Any]:
    """Read a streamed response in one of the ways that there are."""
    if way == "read":
        return [await settled(http.method(response, "read")()), response.text]
    if way == "in sevens":
        return [part async for part in items(http.method(response, "iter_bytes")(7))]
    if way == "twice":
        parts = [part async for part in items(http.method(response, "iter_raw")())]
        with pytest.raises(http.module.StreamConsumed) as second:
            await anext(items(http.method(response, "iter_raw")()))
        return [*parts, str(second.value)]
    return [part async for part in items(http.method(response, way)())]


def seen(response: Result, parts: list[Any]) -> dict[str, Any]:
    """Everything about a response that its user can see and that is the same each time."""
    try:
        content = response.content
    except RuntimeError as error:  # a stream that was not read by `read`
        content = repr(error)
    return {
        "types": [type(response), type(response.stream), type(response.headers), type(response.elapsed)],
        "headers": [(name, value) for name, value in response.headers.raw if name.lower() != b"date"],
        "parts": parts,
        "content": content,
        "status": (response.status_code, response.reason_phrase, response.http_version, response.encoding),
        "request": (response.request.method, response.request.headers.raw, response.request.content),
        "state": (response.is_closed, response.is_stream_consumed, response.num_bytes_downloaded),
        "attributes": sorted(vars(response)),
        "extensions": sorted(response.extensions),
    }


async def ask(http: Http, client: Client, url: str, way: str) -> dict[str, Any]:
    """Make a call and read its answer in one of the ways that there are."""
    if way == "plain":
        response = await settled(client.post(url, json=CHAT_REQUEST))
        return seen(response, [response.text])
    async with entered(client.stream("POST", url, json=CHAT_REQUEST)) as response:
        parts = await parts_of(http, response, way)
    assert response.elapsed > timedelta(0)
    return seen(response, parts)


@pytest.mark.parametrize("answer", ANSWERS)
async def test_same_response(http: Http, answer: str, server: ScriptedServer, ledger: Ledger) -> None:
    """Types, content, headers, state and every way to read are those that the client has without nbtokens."""
    server.will(ANSWERS[answer])
    async with entered(http.client()) as client:
        without = {way: await ask(http, client, server.url + PATH, way) for way in WAYS}
        nbtokens.enable()
        for way in WAYS:
            assert await ask(http, client, server.url + PATH, way) == without[way]
    assert len(ledger.rows()) == len(WAYS)


@pytest.mark.parametrize("way", ["plain", "iter_raw"])
@pytest.mark.parametrize("answer", ["plain", "events", "gzip", "deflate", "raw-deflate", "identity", "gzip-events"])
async def test_encoded_bodies_are_read(
    http: Http, answer: str, way: str, server: ScriptedServer, recording: Ledger
) -> None:
    """Usage is read from a body in whatever encoding, and in whatever way the user reads it."""
    server.will(ANSWERS[answer])
    async with entered(http.client()) as client:
        await ask(http, client, server.url + PATH, way)
    row = recording.only()
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (7, 5, "reported")
    assert (row["status"], row["complete"], row["http_status"]) == ("ok", True, 200)
    assert row["duration_s"] > 0
    assert ("time_to_first_chunk_s" in row) is (way != "plain")


async def test_first_chunk_comes_first(http: Http, server: ScriptedServer, recording: Ledger) -> None:
    """The first chunk is handed over before the server has sent the second one."""
    rest = threading.Event()
    server.will(as_events(PIECES[0], rest, *PIECES[1:]))
    async with (
        entered(http.client()) as client,
        entered(client.stream("POST", server.url + PATH, json=CHAT_REQUEST)) as response,
    ):
        stream = items(http.method(response, "iter_raw")())
        assert await anext(stream) == PIECES[0]
        assert not rest.is_set()
        rest.set()
        assert b"".join([part async for part in stream]) == joined(PIECES[1:])
    assert recording.only()["output_tokens"] == 5


async def test_record_is_there_before_the_end(http: Http, server: ScriptedServer, recording: Ledger) -> None:
    """A call is in the file before its caller has the end of the stream."""
    server.will(as_events(*PIECES))
    async with (
        entered(http.client()) as client,
        entered(client.stream("POST", server.url + PATH, json=CHAT_REQUEST)) as response,
    ):
        async for chunk in items(http.method(response, "iter_raw")()):
            assert len(recording.rows()) == (b"[DONE]" in chunk)
        assert len(recording.rows()) == 1
