"""What holds for every client that is hooked, in the same words for all."""

from __future__ import annotations

import asyncio
import gc
import gzip
import itertools
import json
import threading
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any, Final

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from servers import Answer, ScriptedServer, as_events, event, scripted
from wires import CLASSES, HEADERS, WIRES, Recorder, Wire, recorded, run

from nbtokens.exchange import Exchange
from nbtokens.runtime import runtime
from nbtokens.transports.decoding import decoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATH: Final = "/v1/chat/completions"
REQUEST: Final = json.dumps(
    {"model": "gpt-5", "messages": [{"role": "user", "content": "Why?"}], "stream": True}
).encode()
SAID: Final = event({"model": "gpt-5", "choices": [{"index": 0, "delta": {"content": "Grüße " * 10}}]})
LAST: Final = event({"model": "gpt-5", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 20}})
BODY: Final = SAID + LAST + b"data: [DONE]\n\n"
ENCODINGS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}
each_wire: Final = pytest.mark.parametrize("wire", WIRES, ids=str)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """All clients are hooked."""
    with recorded() as running:
        yield running


@pytest.fixture(scope="module")
def lasting() -> Iterator[ScriptedServer]:
    """A server for all examples of a property."""
    with scripted() as running:
        yield running


def cut_into(body: bytes, cuts: list[int]) -> list[bytes]:
    """The body in pieces, none of them empty."""
    places = sorted({0, len(body), *(cut % len(body) for cut in cuts)})
    return [body[start:end] for start, end in itertools.pairwise(places)]


def facts(exchange: Exchange) -> dict[str, Any]:
    """What is read of an exchange, without its times."""
    record = runtime().meter.to_record(exchange)
    assert record is not None
    varying = ("id", "started_at", "duration_s", "time_to_first_chunk_s", "server_address")
    return {name: getattr(record, name) for name in record.__struct_fields__ if name not in varying}


@each_wire
@pytest.mark.parametrize("way", ["plain", "stream"])
@settings(max_examples=6)
@given(
    encoding=st.sampled_from(("identity", "gzip", "deflate", "br")), cuts=st.lists(st.integers(0, 10_000), max_size=12)
)
def test_any_split_and_encoding(wire: Wire, way: str, encoding: str, cuts: list[int], lasting: ScriptedServer) -> None:
    """However a body is cut and packed, the client gets what it gets without nbtokens, and the record is the same."""
    headers = {"content-type": "text/event-stream", "content-encoding": encoding}
    lasting.will(Answer(headers=headers, pieces=cut_into(ENCODINGS[encoding](BODY), cuts)))
    without = run(wire, lasting.url + PATH, REQUEST, way)
    with recorded() as recorder:
        assert run(wire, lasting.url + PATH, REQUEST, way) == without
    exchange = recorder.only()
    assert exchange.body == BODY
    assert (exchange.request_body, exchange.status, exchange.complete, exchange.error) == (REQUEST, 200, True, None)
    whole = Exchange("POST", exchange.address, REQUEST, dict(HEADERS), status=200, body=BODY)
    whole.response_headers = exchange.response_headers
    assert facts(exchange) == facts(whole)


@pytest.mark.parametrize("encoding", [name for name in ENCODINGS if name != "identity"])
@given(length=st.integers(0, 10_000), body=st.binary(min_size=1, max_size=2_000))
@settings(max_examples=30)
def test_cut_encodings(encoding: str, length: int, body: bytes) -> None:
    """Of a packed body that was cut anywhere, the beginning can be read; of a whole one, all."""
    packed = ENCODINGS[encoding](body)
    assert decoded(packed, encoding.upper()) == body
    assert body.startswith(decoded(packed[: length % len(packed)], encoding))


@pytest.mark.parametrize(
    ("encodings", "packed"),
    [
        ("gzip, br", brotli.compress(gzip.compress(BODY))),
        ("gzip", gzip.compress(BODY[:50]) + gzip.compress(BODY[50:])),
        ("zstd", zstandard.compress(BODY[:50]) + zstandard.compress(BODY[50:])),
        ("deflate", zlib.compress(BODY, wbits=-15)),
        ("x-gzip", gzip.compress(BODY)),
        ("compress, unheard-of", BODY),
        (None, BODY),
    ],
)
def test_unusual_encodings(encodings: str | None, packed: bytes) -> None:
    """Encodings over one another, packed parts in a row, deflate without a header; what is unknown stays as it is."""
    assert decoded(packed, encodings) == BODY


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_broken_packing(encoding: str) -> None:
    """Bytes that are not packed as they say raise nothing."""
    assert decoded(b"\x01not packed at all", encoding) == b""


@each_wire
async def test_left_early(wire: Wire, server: ScriptedServer, recorder: Recorder) -> None:
    """An answer that is left after its first piece is one exchange, at once, with what was read of it."""
    over = threading.Event()
    server.will(as_events(SAID, over, LAST))
    read = await wire.ask(server.url + PATH, REQUEST, "early")
    assert len(recorder.exchanges) == 1
    exchange = recorder.only()
    assert read == SAID == exchange.body
    assert (exchange.complete, exchange.error, exchange.status) == (False, None, 200)
    assert exchange.time_to_first_chunk is not None
    over.set()


@each_wire
@pytest.mark.parametrize("way", ["plain", "stream"])
@pytest.mark.parametrize("end", ["cut", "reset"])
async def test_broken_off(wire: Wire, way: str, end: Any, server: ScriptedServer, recorder: Recorder) -> None:  # noqa: ANN401
    """A connection that breaks in the middle: the client's exception, and one exchange that names an exception."""
    server.will(as_events(SAID, end=end))
    with pytest.raises(Exception):  # noqa: B017, PT011 - each client has its own
        await wire.ask(server.url + PATH, REQUEST, way)
    exchange = recorder.only()
    assert exchange.complete is False
    assert exchange.error
    assert recorder.later == 0


@each_wire
async def test_errors(wire: Wire, server: ScriptedServer, recorder: Recorder) -> None:
    """A refusal is an exchange with its status and its body."""
    server.will(Answer(b'{"error": {"type": "x"}}', 429, {"content-type": "application/json", "retry-after": "7"}))
    body = await wire.ask(server.url + PATH, REQUEST, "plain")
    exchange = recorder.only()
    assert (exchange.status, exchange.body, exchange.response_headers["retry-after"]) == (429, body, "7")


@each_wire
async def test_address(wire: Wire, server: ScriptedServer, recorder: Recorder) -> None:
    """The address is the URL's without its query, with its path decoded."""
    server.will(Answer(b"{}"))
    await wire.ask(f"{server.url}/model/a%3Ab/invoke?key=secret", REQUEST, "plain")
    address = recorder.only().address
    host, port = server.server_address[:2]
    assert (address.scheme, address.host, address.port, address.path) == ("http", host, port, "/model/a:b/invoke")


@each_wire
async def test_first_chunk_is_before_the_end(wire: Wire, server: ScriptedServer, recorder: Recorder) -> None:
    """Of a stream, the time of the first bytes is known; of a body that is read at once, only the whole time."""
    server.will(as_events(SAID, LAST))
    await wire.ask(server.url + PATH, REQUEST, "stream")
    exchange = recorder.only()
    assert exchange.duration is not None
    assert exchange.time_to_first_chunk is not None
    assert 0 < exchange.time_to_first_chunk <= exchange.duration


def test_uninstalled() -> None:
    """Every attribute of every hooked class is afterwards the object that it was before."""
    before = {kind: dict(vars(kind)) for kind, _ in CLASSES}
    with recorded():
        assert not any(vars(kind)[name] is before[kind][name] for kind, name in CLASSES)
    for kind, attributes in before.items():
        assert list(vars(kind)) == list(attributes)
        assert all(vars(kind)[name] is value for name, value in attributes.items())


@pytest.mark.parametrize("wire", [wire for wire in WIRES if "async" in wire.name or wire.name == "aiohttp"], ids=str)
async def test_200_streams_at_once(wire: Wire, server: ScriptedServer, recorder: Recorder) -> None:
    """200 streams under way hold their text and no more of it than once."""
    text = b"data: " + b"x" * 20_000 + b"\n\n"
    half = threading.Event()
    server.will(as_events(text, half, LAST))
    server.request_queue_size = 256
    tracemalloc.start()
    asking = [asyncio.create_task(wire.ask(server.url + PATH, REQUEST, "stream")) for _ in range(200)]
    while len(server.asked) < len(asking):  # noqa: ASYNC110 - the server is another thread
        await asyncio.sleep(0.01)
    half.set()
    bodies = await asyncio.gather(*asking)
    assert {len(body) for body in bodies} == {len(text) + len(LAST)}
    assert len(recorder.exchanges) == 200
    recorder.exchanges.clear()
    recorder.begun.clear()
    del asking, bodies
    gc.collect()
    held = sum(
        trace.size
        for trace in tracemalloc.take_snapshot()
        .filter_traces(
            [tracemalloc.Filter(True, "*/nbtokens/transports/*")]  # noqa: FBT003 - its own signature
        )
        .statistics("filename")
    )
    tracemalloc.stop()
    assert held < len(text)
