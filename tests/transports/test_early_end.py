"""However a stream comes to its end, it is one record, and not `complete` where it was cut off."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from typing import TYPE_CHECKING, Any, Final

import pytest
from clients import CHAT_REQUEST, HTTP, SDKS, Http, Result, Sdk, entered, items, settled
from ledgers import let_the_writer_finish
from servers import Answer, ScriptedServer, as_events, event, wait_until

import nbtokens

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from ledgers import Ledger, Script

PATH: Final = "/v1/chat/completions"
SAID: Final = event({"model": "gpt-5", "choices": [{"index": 0, "delta": {"content": "Because " * 10}}]})
LAST: Final = event({"model": "gpt-5", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 20}})
ASYNC_HTTP: Final = [http for http in HTTP if http.asynchronous]
SYNC_HTTP: Final = [http for http in HTTP if not http.asynchronous]
each_async: Final = pytest.mark.parametrize("http", ASYNC_HTTP, ids=str)
each_sync: Final = pytest.mark.parametrize("http", SYNC_HTTP, ids=str)
each_chat: Final = pytest.mark.parametrize("sdk", [sdk for sdk in SDKS if sdk.api == "openai.chat"], ids=str)


class StopNowError(Exception):
    """The user's own code has failed."""


@pytest.fixture
def endless(server: ScriptedServer) -> Iterator[str]:
    """The URL of an answer that begins, and whose end comes only when the test is over."""
    over = threading.Event()
    server.will(as_events(SAID, SAID, over, LAST))
    yield server.url + PATH
    over.set()


def assert_cut_off(row: dict[str, Any], error: str | None = None) -> None:
    """The record of an answer that was read in part: estimated, and not complete."""
    assert row["complete"] is False
    assert (row["status"], row.get("error")) == ("ok" if error is None else "error", error)
    assert row["usage_source"] == "estimated"
    assert row["input_tokens"] > 0
    assert row["http_status"] == 200


async def leave_loop(http: Http, response: Result) -> None:
    async for _ in items(http.method(response, "iter_raw")()):
        break


async def close_early(http: Http, response: Result) -> None:
    await anext(items(http.method(response, "iter_raw")()))
    await settled(http.method(response, "close")())


async def close_twice(http: Http, response: Result) -> None:
    await settled(http.method(response, "close")())
    await settled(http.method(response, "close")())


async def read_nothing(http: Http, response: Result) -> None:
    """Leave the block without having asked for anything."""


async def never_start(http: Http, response: Result) -> None:
    http.method(response, "iter_lines")()


async def fail_in_loop(http: Http, response: Result) -> None:
    async for _ in items(http.method(response, "iter_lines")()):
        raise StopNowError


async def fail_before_loop(http: Http, response: Result) -> None:
    raise StopNowError


WAYS: Final = [leave_loop, close_early, close_twice, read_nothing, never_start, fail_in_loop, fail_before_loop]


@pytest.mark.parametrize("way", WAYS)
async def test_left_early(
    http: Http, way: Callable[[Http, Result], Awaitable[None]], endless: str, recording: Ledger
) -> None:
    """Breaking off, closing, failing and never starting each leave one record of a call that was cut off."""
    async with entered(http.client()) as client:
        try:
            async with entered(client.stream("POST", endless, json=CHAT_REQUEST)) as response:
                await way(http, response)
        except StopNowError:
            assert way in (fail_in_loop, fail_before_loop)
        assert_cut_off(recording.only())
    row = recording.only()
    started = way in (leave_loop, close_early, fail_in_loop)
    assert (row["output_tokens"] > 0) is started
    assert ("time_to_first_chunk_s" in row) is started


@pytest.mark.parametrize("way", [leave_loop, close_early, read_nothing])
async def test_connection_is_given_back(
    http: Http, way: Callable[[Http, Result], Awaitable[None]], endless: str, recording: Ledger
) -> None:
    """A stream that was left early holds no connection: the next request of a client that may have one gets it."""
    limits = http.module.Limits(max_connections=1)
    async with entered(http.client(limits=limits, timeout=http.module.Timeout(10, pool=0.5))) as client:
        for _ in range(2):
            async with entered(client.stream("POST", endless, json=CHAT_REQUEST)) as response:
                await way(http, response)
    assert len(recording.rows()) == 2


async def test_collected_after_its_end(http: Http, endless: str, recording: Ledger) -> None:
    """A stream that was closed is not recorded again when it is collected."""
    async with entered(http.client()) as client:
        async with entered(client.stream("POST", endless, json=CHAT_REQUEST)) as response:
            await leave_loop(http, response)
        del response
        gc.collect()
        let_the_writer_finish()
    assert_cut_off(recording.only())


@each_chat
async def test_sdk_stream_left_early(sdk: Sdk, endless: str, server: ScriptedServer, recording: Ledger) -> None:
    """An SDK's stream that is left after its first event is one record, with what was read until then."""
    async with entered(sdk.client(server.url)) as client:
        async with entered(await settled(sdk.ask(client, stream=True))) as stream:
            await anext(items(stream))
        row = recording.only()
        assert_cut_off(row)
        assert row["output_tokens"] > 0


@each_sync
@pytest.mark.parametrize("started", ["not started", "started"])
def test_dropped(http: Http, started: str, endless: str, recording: Ledger) -> None:
    """A stream that is dropped without being closed is recorded once it is collected, on another thread."""
    with http.client() as client:
        response = client.send(client.build_request("POST", endless, json=CHAT_REQUEST), stream=True)
        if started == "started":
            parts = response.iter_raw()
            next(parts)
            del parts
        del response
        gc.collect()
        assert_cut_off(recording.wait_for(1)[0])


@each_async
@pytest.mark.parametrize("started", ["not started", "started"])
async def test_dropped_async(http: Http, started: str, endless: str, recording: Ledger) -> None:
    """The same for an asynchronous stream, of which the event loop finalises what was begun."""
    async with http.client() as client:
        response = await client.send(client.build_request("POST", endless, json=CHAT_REQUEST), stream=True)
        if started == "started":
            parts = response.aiter_raw()
            await anext(parts)
            del parts
        del response
        gc.collect()
        await asyncio.sleep(0)  # the loop's own finaliser has its turn
        rows = await asyncio.to_thread(recording.wait_for, 1)
        assert_cut_off(rows[0])


def test_dropped_as_the_first_call(script: Script, endless: str, ledger: Ledger) -> None:
    """A dropped stream is recorded soon, also when no call was made before it."""
    script(
        """
        import gc, sys, time
        import httpx
        import nbtokens

        nbtokens.enable()
        client = httpx.Client()
        asked = {"model": "gpt-5", "messages": [{"role": "user", "content": "Hi"}]}
        request = client.build_request("POST", sys.argv[1], json=asked)
        response = client.send(request, stream=True)
        del response
        gc.collect()
        for _ in range(300):
            if nbtokens.session().sums.calls:
                break
            time.sleep(0.01)
        assert nbtokens.session().sums.calls == 1
        client.close()
        """,
        endless,
    )
    assert_cut_off(ledger.only())


@each_async
async def test_cancelled_while_reading(http: Http, endless: str, recording: Ledger) -> None:
    """Cancelling a task in the middle of a stream raises `CancelledError` there, and leaves one record."""
    reading = asyncio.Event()

    async def read() -> None:
        async with http.client() as client, client.stream("POST", endless, json=CHAT_REQUEST) as response:
            async for part in response.aiter_raw():
                assert part
                reading.set()

    task = asyncio.create_task(read())
    await reading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert_cut_off(recording.only(), "CancelledError")


@each_async
@pytest.mark.parametrize("by", ["wait_for", "cancel"])
async def test_cancelled_while_waiting(http: Http, by: str, server: ScriptedServer, recording: Ledger) -> None:
    """Cancelling before the answer has begun: one record, of a call without status and without tokens."""
    server.will(Answer(end="never"))
    async with http.client() as client:
        asking = asyncio.create_task(client.post(server.url + PATH, json=CHAT_REQUEST))
        await asyncio.to_thread(wait_until, lambda: bool(server.asked))
        if by == "wait_for":
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asking, 0.01)
        else:
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
    row = recording.only()
    assert (row["status"], row["error"], row["complete"]) == ("error", "CancelledError", False)
    assert (row["usage_source"], "http_status" in row) == ("none", False)


@each_async
def test_closed_in_another_context(http: Http, recording: Ledger) -> None:
    """A request whose coroutine is closed from elsewhere, as when its loop has gone, ends without an exception."""

    class Waiting(http.module.AsyncBaseTransport):  # type: ignore[name-defined, misc]
        async def handle_async_request(self, request: Result) -> Result:
            await _Forever()

    asking = http.client(transport=Waiting()).post("http://127.0.0.1" + PATH, json=CHAT_REQUEST)
    contextvars.copy_context().run(asking.send, None)
    asking.close()
    row = recording.only()
    assert (row["status"], row["complete"]) == ("error", False)


class _Forever:
    def __await__(self) -> Iterator[None]:
        yield


@pytest.mark.parametrize("end", ["cut", "reset"])
async def test_broken_connection(http: Http, end: Any, server: ScriptedServer, recording: Ledger) -> None:  # noqa: ANN401
    """A connection that breaks in the middle of a stream: one record with the client's exception."""
    server.will(as_events(SAID, end=end))
    async with (
        entered(http.client()) as client,
        entered(client.stream("POST", server.url + PATH, json=CHAT_REQUEST)) as response,
    ):
        with pytest.raises(http.module.TransportError) as raised:
            await settled(http.method(response, "read")())
    assert_cut_off(recording.only(), type(raised.value).__name__)


async def test_read_to_its_end_marker(http: Http, server: ScriptedServer, recording: Ledger) -> None:
    """A reader that leaves at the stream's own end marker, before the connection's end, has a complete answer."""
    over = threading.Event()
    server.will(as_events(SAID, LAST, b"data: [DONE]\n\n", over))
    async with entered(http.client()) as client:
        async with entered(client.stream("POST", server.url + PATH, json=CHAT_REQUEST)) as response:
            async for line in items(http.method(response, "iter_lines")()):
                if line == "data: [DONE]":
                    break
        over.set()
    row = recording.only()
    assert (row["complete"], row["usage_source"], row["output_tokens"]) == (True, "reported", 20)


@each_chat
async def test_switched_off_while_reading(sdk: Sdk, server: ScriptedServer, recording: Ledger) -> None:
    """A stream that is under way when recording is switched off ends as it would have, and is still recorded."""
    rest = threading.Event()
    server.will(as_events(SAID, rest, LAST, b"data: [DONE]\n\n"))
    async with entered(sdk.client(server.url)) as client:
        stream = items(await settled(sdk.ask(client, stream=True)))
        await anext(stream)
        nbtokens.disable()
        rest.set()
        assert len([one async for one in stream]) == 1
    assert recording.only()["output_tokens"] == 20
