"""aiohttp: every way to read, or not to read, a response is one record, and the response is what it was."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import threading
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import anyio
import pytest
from ledgers import let_the_writer_finish
from servers import Answer, ScriptedServer, as_events, as_json, event, joined, refusing_url, wait_until

import nbtokens

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from ledgers import Ledger

PATH: Final = "/v1/chat/completions"
REQUEST: Final = {"model": "gpt-5", "messages": [{"role": "user", "content": "Why is the sky blue?"}], "stream": True}
DOCUMENT: Final = {"model": "gpt-5", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5}}
PIECES: Final = (
    event({"model": "gpt-5", "choices": [{"index": 0, "delta": {"content": "Because " * 10}}]}),
    event(DOCUMENT) + b"data: [DONE]\n\n",
)
_GZIP: Final = {"content-type": "application/json", "content-encoding": "gzip"}
ANSWERS: Final = {
    "json": as_json(DOCUMENT),
    "events": as_events(*PIECES),
    "gzip": Answer(gzip.compress(json.dumps(DOCUMENT).encode()), headers=_GZIP),
}


async def until_empty(read: Callable[[], Awaitable[bytes]]) -> list[bytes]:
    return [part async for part in _until_empty(read)]


async def _until_empty(read: Callable[[], Awaitable[bytes]]) -> Any:  # noqa: ANN401 - an iterator
    while part := await read():
        yield part


async def each(parts: Any) -> list[Any]:  # noqa: ANN401 - aiohttp's own iterators
    return [part async for part in parts]


async def exactly(response: aiohttp.ClientResponse) -> list[bytes]:
    first = await response.content.readexactly(5)
    with pytest.raises(asyncio.IncompleteReadError) as short:
        await response.content.readexactly(100_000)
    return [first, short.value.partial]


async def chunks_of(content: aiohttp.StreamReader) -> list[bytes]:
    chunks = await each(content.iter_chunks())
    assert all(isinstance(ends, bool) for _, ends in chunks)
    return [chunk for chunk, _ in chunks]


async def at_once(response: aiohttp.ClientResponse) -> list[bytes]:
    await response.content.wait_eof()
    return [response.content.read_nowait(7), response.content.read_nowait()]


WAYS: Final[dict[str, Callable[[aiohttp.ClientResponse], Awaitable[Any]]]] = {
    "read": lambda response: response.read(),
    "text": lambda response: response.text(errors="replace"),
    "content.read": lambda response: response.content.read(),
    "content.read in sevens": lambda response: until_empty(lambda: response.content.read(7)),
    "content.readany": lambda response: until_empty(response.content.readany),
    "content.readline": lambda response: until_empty(response.content.readline),
    "content.readuntil": lambda response: until_empty(lambda: response.content.readuntil(b"e")),
    "content.readexactly": exactly,
    "content.read_nowait": at_once,
    "content.iter_any": lambda response: each(response.content.iter_any()),
    "content.iter_chunked": lambda response: each(response.content.iter_chunked(7)),
    "content.iter_chunks": lambda response: chunks_of(response.content),
    "content": lambda response: each(response.content),
}


AS_IT_COMES: Final = tuple(
    f"content.{way}" for way in ("read in sevens", "readany", "iter_any", "iter_chunked", "iter_chunks")
)
"""These ways give pieces as the network has them."""


def seen(response: aiohttp.ClientResponse) -> list[Any]:
    """What a user can see of a response that is the same each time."""
    content = response.content
    return [
        (response.status, response.reason, response.version, response.closed, response.method, response.url),
        [(name, value) for name, value in response.raw_headers if name.lower() != b"date"],
        sorted(vars(response)),
        (isinstance(content, aiohttp.StreamReader), type(content).__name__, type(content).__module__),
        (content.is_eof(), content.at_eof(), content.total_bytes, repr(content), content.get_read_buffer_limits()),
        repr(content.exception()),
    ]


async def ask(url: str, way: str, **options: Any) -> list[Any]:  # noqa: ANN401 - the client's own
    async with aiohttp.ClientSession(**options) as session, session.post(url, json=REQUEST) as response:
        read = await WAYS[way](response)
        return [b"".join(read) if way in AS_IT_COMES else read, seen(response)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("unpacks", [True, False])
@pytest.mark.parametrize("answer", ANSWERS)
async def test_same_response(answer: str, unpacks: bool, way: str, server: ScriptedServer, ledger: Ledger) -> None:  # noqa: FBT001
    """What a response gives, in each way to read it, is what it gives without nbtokens; and it is one record."""
    server.will(ANSWERS[answer])
    without = await ask(server.url + PATH, way, auto_decompress=unpacks)
    nbtokens.enable()
    assert await ask(server.url + PATH, way, auto_decompress=unpacks) == without
    row = ledger.only()
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (7, 5, "reported")
    assert (row["status"], row["complete"], row["http_status"], row["request_model"]) == ("ok", True, 200, "gpt-5")


async def test_record_is_there_before_the_end(server: ScriptedServer, recording: Ledger) -> None:
    """A chunk is handed over before the next is sent; the call is in the file before its caller has the end."""
    rest = threading.Event()
    server.will(as_events(PIECES[0], rest, PIECES[1]))
    async with aiohttp.ClientSession() as session, session.post(server.url + PATH, json=REQUEST) as response:
        assert await response.content.readany() == PIECES[0]
        assert recording.rows() == []
        rest.set()
        assert b"".join(await each(response.content.iter_any())) == joined(PIECES[1:])
        assert recording.only()["output_tokens"] == 5


@pytest.fixture
def endless(server: ScriptedServer) -> Iterator[str]:
    """The URL of an answer that begins, and whose end comes only when the test is over."""
    over = threading.Event()
    server.will(as_events(PIECES[0], over, PIECES[1]))
    yield server.url + PATH
    over.set()


async def read_nothing(response: aiohttp.ClientResponse) -> None:
    """Leave the block without having asked for anything."""


async def leave_loop(response: aiohttp.ClientResponse) -> None:
    async for _ in response.content.iter_any():
        break


async def close(response: aiohttp.ClientResponse) -> None:
    await response.content.read(5)
    response.close()


async def release(response: aiohttp.ClientResponse) -> None:
    await response.content.read(5)
    response.release()


async def fail(response: aiohttp.ClientResponse) -> None:
    async for _ in response.content:
        raise ZeroDivisionError


@pytest.mark.parametrize("way", [read_nothing, leave_loop, close, release, fail])
async def test_left_early(
    way: Callable[[aiohttp.ClientResponse], Awaitable[None]], endless: str, recording: Ledger
) -> None:
    """An answer that is left before its end is one record, at once, and not complete."""
    async with aiohttp.ClientSession() as session:
        try:
            async with session.post(endless, json=REQUEST) as response:
                await way(response)
        except ZeroDivisionError:
            assert way is fail
        row = recording.only()
    assert (row["complete"], row["status"], row["usage_source"]) == (False, "ok", "estimated")
    gc.collect()
    assert recording.only() == row


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of its connection, as without nbtokens
async def test_dropped(endless: str, recording: Ledger) -> None:
    """An answer that is neither read nor closed is one record when its session has ended."""
    async with aiohttp.ClientSession() as session:
        response = await session.post(endless, json=REQUEST)
        await response.content.read(5)
        del response
    for _ in range(3):
        await asyncio.sleep(0)  # the connection is lost
    gc.collect()
    await asyncio.to_thread(let_the_writer_finish)
    row = recording.only()
    assert (row["complete"], row["usage_source"]) == (False, "estimated")


@pytest.mark.parametrize("by", ["asyncio", "anyio"])
async def test_cancelled_while_reading(by: str, endless: str, recording: Ledger) -> None:
    """Cancelling a task, or an anyio scope, in the middle of an answer leaves one record that says so."""
    reading = asyncio.Event()

    async def read() -> None:
        async with aiohttp.ClientSession() as session, session.post(endless, json=REQUEST) as response:
            async for _ in response.content.iter_any():
                reading.set()

    if by == "asyncio":
        task = asyncio.create_task(read())
        await reading.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await reading.wait()
            group.cancel_scope.cancel()
    row = recording.only()
    assert (row["complete"], row["status"], row["error"]) == (False, "error", "CancelledError")


async def test_out_of_patience_for_a_while(server: ScriptedServer, recording: Ledger) -> None:
    """A reader that gives up waiting, and comes back later, has read the whole answer."""
    rest = threading.Event()
    server.will(as_events(PIECES[0], rest, PIECES[1]))
    async with aiohttp.ClientSession() as session, session.post(server.url + PATH, json=REQUEST) as response:
        assert await response.content.readany() == PIECES[0]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(response.content.readany(), 0.01)
        assert recording.rows() == []
        rest.set()
        await response.read()
    row = recording.only()
    assert (row["complete"], row["status"], row["output_tokens"]) == (True, "ok", 5)


async def test_cancelled_while_waiting(server: ScriptedServer, recording: Ledger) -> None:
    """Cancelling before the answer has begun: one record, of a call without status and without tokens."""
    server.will(Answer(end="never"))
    async with aiohttp.ClientSession() as session:
        asking = asyncio.ensure_future(session._request("POST", server.url + PATH, json=REQUEST))
        await asyncio.to_thread(wait_until, lambda: bool(server.asked))
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    row = recording.only()
    assert (row["status"], row["error"], row["usage_source"]) == ("error", "CancelledError", "none")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("nobody", {"error": "ClientConnectorError"}),
        ("never", {"error": "ServerDisconnectedError"}),
        ("cut", {"error": "ClientPayloadError", "http_status": 200}),
        ("refused", {"error": "ClientResponseError", "http_status": 429}),
    ],
)
async def test_failures(answer: str, expected: dict[str, Any], server: ScriptedServer, ledger: Ledger) -> None:
    """A failing attempt raises what it raises without nbtokens, and is one record that names the exception."""
    server.will(
        {"never": Answer(end="never"), "cut": as_events(PIECES[0], end="cut")}.get(answer, as_json({"error": {}}, 429))
    )
    if answer == "never":
        server.ending.set()
    url = refusing_url() if answer == "nobody" else server.url
    raised = []
    for enable in (False, True):
        if enable:
            nbtokens.enable()
        with pytest.raises(aiohttp.ClientError) as caught:
            await ask_raising(url + PATH)
        raised.append(type(caught.value))
    assert raised[0] is raised[1]
    row = ledger.only()
    assert row["status"] == "error"
    assert {name: row.get(name) for name in expected} == expected


async def ask_raising(url: str) -> None:
    async with aiohttp.ClientSession(raise_for_status=True) as session, session.post(url, json=REQUEST) as response:
        await response.read()


@pytest.mark.parametrize("body", ["json", "bytes", "text", "own serialiser", "generator"])
async def test_request_bodies(body: str, server: ScriptedServer, recording: Ledger) -> None:
    """The request is read where it is there; a generator is the client's alone to read."""
    server.will(as_json(DOCUMENT))
    text = json.dumps(REQUEST)

    async def pieces() -> Any:  # noqa: ANN401 - an iterator
        yield text.encode()

    sent: Any = {"json": {"json": REQUEST}, "own serialiser": {"json": 0}}.get(
        body, {"data": {"bytes": text.encode(), "text": text}.get(body, pieces())}
    )
    session = aiohttp.ClientSession(server.url, json_serialize=lambda what: json.dumps(what or REQUEST))
    async with session, session.post(PATH, **sent) as response:
        await response.read()
    assert json.loads(server.asked[0].body) == REQUEST
    assert recording.only().get("request_model") == (None if body == "generator" else "gpt-5")


async def test_redirects(server: ScriptedServer, recording: Ledger) -> None:
    """A call that is sent on to another address is one record, of the address that the user has called."""
    server.will(Answer(status=307, headers={"location": f"{server.url}/v2/chat/completions"}), as_json(DOCUMENT))
    async with aiohttp.ClientSession() as session, session.post(server.url + PATH, json=REQUEST) as response:
        await response.read()
    row = recording.only()
    assert (row["http_status"], row["input_tokens"], row["status"]) == (200, 7, "ok")


async def test_others_are_left_alone(server: ScriptedServer, recording: Ledger) -> None:
    """What is no call of a model has nothing of ours around it."""
    server.will(as_json({}))
    async with aiohttp.ClientSession() as session, session.post(server.url + "/v1/files", json=REQUEST) as response:
        assert type(response.content) is aiohttp.StreamReader
    assert recording.rows(None) == []
