"""Streams are asked for their usage where the user wants that, and nobody but the record sees the difference."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import httpx
import httpx2
import pytest
from clients import CHAT_REQUEST, HTTP, SDKS, Http, Sdk, entered, items, settled
from hypothesis import given, settings
from hypothesis import strategies as st
from servers import Answer, ScriptedServer, as_events, as_json, joined

from nbtokens.exchange import Address
from nbtokens.runtime import runtime
from nbtokens.transports import exact_streams
from nbtokens.transports.exact_streams import EventFilter, Switch, asked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledgers import Ledger

OPENAI: Final = "https://api.openai.com/v1/chat/completions"
REQUEST: Final = {**CHAT_REQUEST, "stream": True}
USAGE: Final = {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46}
OPTION: Final = {"include_usage": True}


def chunk(**keys: Any) -> bytes:  # noqa: ANN401 - JSON
    """An event as OpenAI sends it."""
    document = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-5", **keys}
    return b"data: " + json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


def stream(*, asked_for: bool, nulls: bool = True, newline: bytes = b"\n") -> list[bytes]:
    """The events of a stream, as a server sends them with the option and without it."""
    null = {"usage": None} if asked_for and nulls else {}
    texts = ["Blue, ", 'she said: ,"usage":null', "日本 🙂", "\n\ndata: no event"]
    events = [chunk(choices=[{"index": 0, "delta": {"content": text}}], **null, obfuscation="xy") for text in texts]
    events.append(chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}], **null))
    if asked_for:
        events.append(chunk(choices=[], usage=USAGE))
    return [event.replace(b"\n", newline) for event in [b": keep-alive\n\n", *events, b"data: [DONE]\n\n"]]


ASKED: Final = stream(asked_for=True)
UNASKED: Final = b"".join(stream(asked_for=False))


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch) -> Iterator[Switch]:
    """A switch of the test's own, switched on."""
    switch = exact_streams.switch
    vars_before = dict(vars(switch))
    vars(switch).update(vars(Switch()), on=True)
    runtime().subscribers.append(switch.learn)
    yield switch
    runtime().subscribers.remove(switch.learn)
    vars(switch).update(vars_before)


def body_of(server: ScriptedServer, which: int = -1) -> Any:  # noqa: ANN401 - JSON
    """What the server was asked, with a length that is right (the server would else have read something else)."""
    request = server.asked[which]
    assert int(request.headers["content-length"]) == len(request.body)
    return json.loads(request.body)


async def read(http: Http, server: ScriptedServer, url: str = OPENAI, **options: Any) -> bytes:  # noqa: ANN401
    """The bytes that a client reads of a stream from a host that is this server."""
    options = {"json": REQUEST, **options}
    async with (
        entered(http.client(transport=http.transport(server))) as client,
        entered(client.stream("POST", url, **options)) as response,
    ):
        return b"".join([piece async for piece in items(http.method(response, "iter_bytes")())])


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
async def test_bytes_are_those_of_an_unasked_stream(
    http: Http, server: ScriptedServer, recording: Ledger, size: int
) -> None:
    """However the events are cut into chunks, the client reads what it would have read; the record has the usage."""
    whole = joined(ASKED)
    server.will(as_events(*(whole[start : start + size] for start in range(0, len(whole), size))))
    assert await read(http, server) == UNASKED
    assert body_of(server) == {**REQUEST, "stream_options": OPTION}
    row = recording.only()
    assert (row["usage_source"], row["input_tokens"], row["output_tokens"]) == ("reported", 12, 34)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, len(joined(ASKED))), max_size=12), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_any_split(cuts: Sequence[int], newline: bytes, nulls: bool) -> None:  # noqa: FBT001 - Hypothesis's
    """The filter takes out the same bytes wherever the stream is split, with either end of lines."""
    whole = joined(stream(asked_for=True, nulls=nulls, newline=newline))
    events = EventFilter(nulls=nulls)
    places = [0, *sorted(cuts), len(whole)]
    passed = [events.feed(whole[start:end]) for start, end in pairwise(places)]
    assert b"".join(passed) + events.rest() == joined(stream(asked_for=False, newline=newline))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary() | st.sampled_from([b'data: {"usage"', b"\n\n", b":{}}", b'"choices":[]', b"\r\n\r\n"])))
def test_other_bytes_pass(pieces: Sequence[bytes]) -> None:
    """What is no usage event passes unchanged, whatever it is."""
    events = EventFilter(nulls=False)
    assert b"".join([*map(events.feed, pieces), events.rest()]) == b"".join(pieces)


@pytest.mark.parametrize(
    "event",
    [
        chunk(choices=[{"delta": {"content": ""}, "finish_reason": "stop"}], usage=USAGE),
        chunk(choices=[], prompt_filter_results=[]),
        b"event: usage\ndata: " + json.dumps({"choices": [], "usage": USAGE}).encode() + b"\n\n",
        b'data: {"choices": [], "usage": ' + b"[" * 100_000 + b"\n\n",
    ],
    ids=["with a choice", "without usage", "of another kind", "broken"],
)
def test_events_that_hold_more_stay(event: bytes) -> None:
    """Only an event with nothing but the usage is taken out."""
    events = EventFilter(nulls=True)
    assert events.feed(event) + events.rest() == event


async def test_events_pass_at_once(server: ScriptedServer, recording: Ledger) -> None:
    """An event reaches the client when its last byte has come, not with the next one."""
    events = EventFilter(nulls=True)
    for event in stream(asked_for=False):
        assert events.feed(event) == event


async def test_whole_and_packed(http: Http, server: ScriptedServer, recording: Ledger) -> None:
    """The same where the client reads the stream at once, and where the server packs it."""
    kind = {"content-type": "text/event-stream; charset=utf-8"}
    packed = {**kind, "content-encoding": "gzip"}
    server.will(Answer(joined(ASKED), headers=kind), Answer(gzip.compress(joined(ASKED)), headers=packed))
    async with entered(http.client(transport=http.transport(server))) as client:
        response = await settled(client.post(OPENAI, json=REQUEST))
    assert (response.content, response.text) == (UNASKED, UNASKED.decode())
    assert await read(http, server) == UNASKED
    assert [row["output_tokens"] for row in recording.rows()] == [34, 34]


async def test_the_users_request_is_untouched(http: Http, server: ScriptedServer, recording: Ledger) -> None:
    """The request that the user made, and finds at the response, is the same object with the same content."""
    server.will(as_events(*ASKED))
    async with entered(http.client(transport=http.transport(server))) as client:
        request = client.build_request("POST", OPENAI, json=REQUEST, headers={"X-Mine": "1"})
        before = (request.content, list(request.headers.raw), request.stream)
        response = await settled(client.send(request, stream=True))
        assert response.request is request
        assert (request.content, list(request.headers.raw), request.stream) == before
        await settled(response.aclose() if http.asynchronous else response.close())
    assert server.asked[0].headers["x-mine"] == "1"
    assert recording.only()["complete"] is False


@pytest.mark.parametrize("sdk", [sdk for sdk in SDKS if sdk.api == "openai.chat"], ids=str)
async def test_sdk(sdk: Sdk, server: ScriptedServer, recording: Ledger) -> None:
    """OpenAI's SDK gives the chunks that it gives without the option, retries included; the record has the usage."""
    busy = as_json({"error": {"type": "server_error"}}, 500, retry_after_ms="1")
    server.will(busy, as_events(*ASKED))
    module = httpx2 if "httpx2" in str(_client_base(sdk)) else httpx
    http = Http(module, sdk.asynchronous)
    own = http.client(transport=http.transport(server))
    async with entered(sdk.client("https://api.openai.com", http_client=own, max_retries=1)) as client:
        chunks = [one async for one in items(await settled(sdk.ask(client, stream=True)))]
    assert [one.usage for one in chunks] == [None] * 5
    assert all(one.choices for one in chunks)
    assert body_of(server, 0)["stream_options"] == body_of(server, 1)["stream_options"] == OPTION
    assert [(row["http_status"], row["usage_source"]) for row in recording.rows()] == [(500, "none"), (200, "reported")]


def _client_base(sdk: Sdk) -> type:
    return type(sdk.client("https://api.openai.com")._client).__mro__[1]


async def test_a_choice_of_the_users_is_respected(http: Http, server: ScriptedServer, recording: Ledger) -> None:
    """Who says something about `stream_options` gets what was asked for, all of it."""
    server.will(as_events(*ASKED))
    for choice in ({"include_usage": True}, {"include_usage": False}, {}, None):
        body = {**REQUEST, "stream_options": choice}
        assert await read(http, server, json=body) == joined(ASKED)
        assert body_of(server) == body


async def test_off(http: Http, server: ScriptedServer, recording: Ledger, exact: Switch) -> None:
    """By default nothing is asked for, and nothing is taken out."""
    assert Switch().on is False
    exact.on = False
    server.will(as_events(*ASKED))
    assert await read(http, server) == joined(ASKED)
    assert body_of(server) == REQUEST


async def test_a_server_that_refuses(http: Http, server: ScriptedServer, recording: Ledger) -> None:
    """A server that refuses the option is asked again without it, at once, and never again with it."""
    refusal = as_json({"error": {"type": "invalid_request_error", "param": "stream_options"}}, 400)
    server.will(refusal, as_events(UNASKED))
    assert await read(http, server) == UNASKED
    assert await read(http, server) == UNASKED
    assert ["stream_options" in body_of(server, which) for which in range(3)] == [True, False, False]
    assert [row["usage_source"] for row in recording.rows()] == ["none", "estimated", "estimated"]


async def test_a_request_that_is_wrong_in_itself(http: Http, server: ScriptedServer, recording: Ledger) -> None:
    """An error that the user's own request brings is the one that the user sees; the host is asked further on."""
    wrong = as_json({"error": {"type": "invalid_request_error", "param": "messages"}}, 400)
    server.will(wrong, wrong, as_events(*ASKED))
    async with entered(http.client(transport=http.transport(server))) as client:
        response = await settled(client.post(OPENAI, json=REQUEST))
    assert (response.status_code, response.json()["error"]["param"]) == (400, "messages")
    assert await read(http, server) == UNASKED


async def test_local_engine(server: ScriptedServer, recording: Ledger) -> None:
    """A server on this machine is asked once an answer has told that it is Ollama; its other events have no nulls."""
    http = HTTP[0]
    url = server.url + "/v1/chat/completions"
    told = as_json({"model": "m", "system_fingerprint": "fp_ollama", "choices": [], "usage": USAGE})
    server.will(told, as_events(*stream(asked_for=True, nulls=False)))
    with http.client() as client:
        client.post(url, json=CHAT_REQUEST)
        with client.stream("POST", url, json=REQUEST) as response:
            assert response.read() == UNASKED
    assert body_of(server)["stream_options"] == OPTION


@pytest.mark.parametrize(
    ("url", "version", "nulls"),
    [
        ("https://api.openai.com/v1/chat/completions", "", True),
        ("https://api.openai.com/v1/completions", "", True),
        ("https://api.openai.com/v1/responses", "", None),
        ("https://me.openai.azure.com/openai/deployments/d/chat/completions", "2024-10-21", True),
        ("https://me.openai.azure.com/openai/deployments/d/chat/completions", "2025-01-01-preview", True),
        ("https://me.openai.azure.com/openai/deployments/d/chat/completions", "2024-06-01", None),
        ("https://me.openai.azure.com/openai/deployments/d/chat/completions", "", None),
        ("https://me.openai.azure.com/openai/v1/chat/completions", "", True),
        ("https://api.groq.com/openai/v1/chat/completions", "", False),
        ("https://api.x.ai/v1/chat/completions", "", False),
        ("https://api.fireworks.ai/inference/v1/chat/completions", "", False),
        ("https://api.mistral.ai/v1/chat/completions", "", None),
        ("https://api.deepseek.com/chat/completions", "", None),
        ("http://127.0.0.1:8000/v1/chat/completions", "", None),
    ],
)
def test_hosts(url: str, version: str, nulls: bool | None) -> None:  # noqa: FBT001 - expected
    """Only hosts are asked that are known to support the option, and to change no event that holds text."""
    parts = httpx.URL(url)
    ask = Switch().ask_of(Address(parts.scheme, parts.host, parts.port, parts.path), version)
    assert (None if ask is None else ask.nulls) is nulls


JSON: Final = (b"content-type", b"application/json")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"model=gpt-5&stream=true", [(b"content-type", b"application/x-www-form-urlencoded")]),
        (b'{"stream": true}', []),
        (b'{"stream": true', [JSON]),
        (b'[{"stream": true}]', [JSON]),
        (b'{"stream": false}', [JSON]),
        (b'{"stream": 1}', [JSON]),
        (b'{"messages": [{"stream": true}]}', [JSON]),
        (b'{"stream": true}', [JSON, (b"Content-Encoding", b"gzip")]),
        (b'{"stream": true}', [JSON, (b"Transfer-Encoding", b"chunked")]),
        (b'{"stream": true}', [JSON, (b"Content-Digest", b"sha-256=:x:")]),
        (b'{"stream": true}', [JSON, (b"X-Amz-Content-Sha256", b"x")]),
        (b'{"stream": true}', [JSON, (b"Authorization", b"AWS4-HMAC-SHA256 Credential=x")]),
        (b"[" * 100_000 + b'"stream"}', [JSON]),
    ],
)
def test_odd_requests_are_left_alone(body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """What is no plain JSON, no stream, packed, or signed, goes as it is."""
    assert asked(body, headers) is None


def test_the_option_is_put_at_the_end() -> None:
    """Every byte of the user's body is kept, down to its spaces."""
    body = b'{ "stream" : true, "n":1.0 }\n'
    assert asked(body, [JSON]) == b'{ "stream" : true, "n":1.0 ,"stream_options":{"include_usage":true}}'
