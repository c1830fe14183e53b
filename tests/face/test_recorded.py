"""Functions that ask a model in a way that nbtokens can't see: what they return is recorded."""

from __future__ import annotations

import asyncio
import gc
import inspect
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from clients import CHAT_REQUEST, SDKS
from servers import as_json

import nbtokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from ledgers import Ledger
    from servers import ScriptedServer

REPORT: Any = {"id": "r-1", "model": "gpt-5", "usage": {"prompt_tokens": 1000, "completion_tokens": 100}}
COST = Decimal("0.00225")
CHAT = SDKS[0]


class OwnError(Exception):
    """An error of the user's."""


def of_kinds(answer: Callable[[], Any]) -> list[Any]:
    """The same function as a plain one, a coroutine, a generator and an asynchronous generator, each to be run."""

    def plain(prompt: str) -> Any:  # noqa: ANN401 - what the test wants
        return answer()

    async def coroutine(prompt: str) -> Any:  # noqa: ANN401 - the same
        return answer()

    def generator(prompt: str) -> Iterator[Any]:
        yield answer()

    async def async_generator(prompt: str) -> AsyncIterator[Any]:
        yield answer()

    return [plain, coroutine, generator, async_generator]


async def run(function: Any) -> list[Any]:  # noqa: ANN401 - of any kind
    """What a function of any kind gives."""
    result = function("Why is the sky blue?")
    if inspect.isasyncgen(result):
        return [part async for part in result]
    if inspect.isgenerator(result):
        return list(result)
    return [await result if inspect.isawaitable(result) else result]


@pytest.mark.parametrize("kind", range(4))
async def test_what_is_returned(kind: int, ledger: Ledger) -> None:
    """The usage of what a function returns or yields is its call, priced and timed; the result is untouched."""
    function = nbtokens.recorded(operation="ask", team="blue")(of_kinds(lambda: REPORT)[kind])
    (result,) = await run(function)
    assert result is REPORT
    row = ledger.only()
    assert (row["model"], row["input_tokens"], row["output_tokens"], row["cost_usd"]) == ("gpt-5", 1000, 100, COST)
    assert (row["operation"], row["tags"], row["usage_source"]) == ("ask", {"team": "blue"}, "reported")
    assert (row["status"], row["complete"], row["response_id"]) == ("ok", True, "r-1")
    assert row["duration_s"] >= 0
    assert ("time_to_first_chunk_s" in row) == (kind >= 2)


@pytest.mark.parametrize("kind", range(4))
async def test_text_is_counted(kind: int, ledger: Ledger) -> None:
    """Of text alone, the tokens are counted: those of the text, and of the arguments that are text; it says so."""
    function = nbtokens.recorded(model="gpt-5")(of_kinds(lambda: "Because of Rayleigh scattering.")[kind])
    await run(function)
    row = ledger.only()
    assert row["usage_source"] == "estimated"
    assert 3 <= row["input_tokens"] <= 8
    assert 3 <= row["output_tokens"] <= 9
    assert row["cost_usd"] > 0


@pytest.mark.parametrize("kind", range(4))
async def test_failure(kind: int, ledger: Ledger) -> None:
    """A function that raises is a failed call with the exception's name; the very exception reaches the caller."""
    error = OwnError("the prompt")

    def fail() -> None:
        raise error

    function = nbtokens.recorded(model="gpt-5")(of_kinds(fail)[kind])
    with pytest.raises(OwnError) as raised:
        await run(function)
    assert raised.value is error
    row = ledger.only()
    assert (row["status"], row["error"], row["complete"], row["usage_source"]) == ("error", "OwnError", False, "none")
    assert "the prompt" not in str(row)


async def test_cancelled(ledger: Ledger) -> None:
    """A cancelled coroutine stays cancelled, and is recorded as such."""

    @nbtokens.recorded(model="gpt-5")
    async def wait() -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ledger.only()["error"] == "CancelledError"


async def test_calls_inside_are_the_records(server: ScriptedServer, recording: Ledger) -> None:
    """A call that is seen inside of the function is the record, with the function's label; it is not counted twice."""
    server.will(as_json({**REPORT, "id": "c-1"}))

    @nbtokens.recorded(model="other", operation="ask", team="blue")
    def ask() -> Any:  # noqa: ANN401 - the SDK's type
        with CHAT.client(server.url) as client:
            return CHAT.ask(client)

    assert ask().usage.prompt_tokens == 1000
    row = recording.only()
    assert (row["api"], row["model"], row["operation"], row["tags"]) == (
        "openai.chat",
        "gpt-5",
        "ask",
        {"team": "blue"},
    )


async def test_streams_that_are_read_later(server: ScriptedServer, recording: Ledger) -> None:
    """A function that returns a stream unread adds no record of its own: the stream's is still to come."""
    server.will(as_json(REPORT))

    @nbtokens.recorded(model="gpt-5")
    def ask() -> Any:  # noqa: ANN401 - the SDK's type
        return CHAT.ask(client, stream=True)

    with CHAT.client(server.url) as client:
        stream = ask()
        assert recording.rows() == []
        stream.close()
    assert len(recording.rows()) == 1


def test_a_stream_of_unseen_calls() -> None:
    """An iterator that a plain function returns is not read, and nothing is recorded of it."""
    parts = nbtokens.recorded(model="gpt-5")(lambda: iter("abc"))()
    assert list(parts) == ["a", "b", "c"]
    assert nbtokens.session().sums.calls == 0


def test_nested(ledger: Ledger) -> None:
    """Of recorded functions inside of one another, the innermost is the record."""
    inner = nbtokens.recorded(operation="inner")(lambda: REPORT)
    nbtokens.recorded(operation="outer")(lambda: [inner(), inner()])()
    rows = ledger.rows()
    assert [row["operation"] for row in rows] == ["inner"]  # the second is the same response


def test_left_half_way(ledger: Ledger) -> None:
    """A generator that is not read to its end is recorded as far as it was read, and is not complete."""

    @nbtokens.recorded(model="gpt-5")
    def parts() -> Iterator[str]:
        yield "one two three"
        yield "four five six"

    reading = parts()
    assert next(reading) == "one two three"
    del reading
    gc.collect()
    nbtokens.history()
    row = ledger.wait_for(1)[0]
    assert (row["status"], row["complete"], row["usage_source"]) == ("ok", False, "estimated")
    assert row["output_tokens"] == 3


def test_generators_keep_their_ways(ledger: Ledger) -> None:
    """What is sent and thrown into a generator arrives, and what it returns comes back."""

    @nbtokens.recorded(model="gpt-5")
    def talk() -> Any:  # noqa: ANN401 - a generator that takes and returns
        got = yield "a"
        try:
            yield got
        except OwnError:
            yield "caught"
        return REPORT

    talking = talk()
    assert (next(talking), talking.send("b"), talking.throw(OwnError())) == ("a", "b", "caught")
    with pytest.raises(StopIteration) as stop:
        next(talking)
    assert stop.value.value is REPORT
    assert ledger.only()["input_tokens"] == 1000


def test_never_begun(ledger: Ledger) -> None:
    """A generator that nobody iterates has made no call."""
    nbtokens.recorded(model="gpt-5")(of_kinds(lambda: "a")[2])("b").close()
    assert ledger.rows(None) == []


def test_last_word(ledger: Ledger) -> None:
    """Of a stream that reports again and again what it came to, the last word counts."""

    @nbtokens.recorded()
    def parts() -> Iterator[Any]:
        for written in (1, 5, 9):
            yield {"model": "gpt-5", "usage": {"input_tokens": 20 if written == 1 else None, "output_tokens": written}}

    list(parts())
    row = ledger.only()
    assert (row["input_tokens"], row["output_tokens"]) == (20, 9)


def test_nothing_known(ledger: Ledger) -> None:
    """What tells nothing is a call without figures, not one of 0 tokens for $0."""
    assert nbtokens.recorded(model="gpt-5")(lambda: 7)() == 7
    row = ledger.only()
    assert row["usage_source"] == "none"
    assert not row.keys() & {"input_tokens", "output_tokens", "cost_usd"}


def test_face() -> None:
    """A decorated function keeps its name, its documentation, its signature and its kind."""

    async def ask(prompt: str, *, times: int = 1) -> str:
        """Ask."""
        return prompt * times

    decorated = nbtokens.recorded(model="m")(ask)
    assert (decorated.__name__, decorated.__doc__) == ("ask", "Ask.")
    assert list(inspect.signature(decorated).parameters) == ["prompt", "times"]
    assert inspect.iscoroutinefunction(decorated)
    assert CHAT_REQUEST["model"] == "gpt-5"


@pytest.mark.parametrize("arguments", [{"model": ""}, {"model": 7}, {"team": ...}], ids=str)
def test_bad_arguments(arguments: dict[str, Any]) -> None:
    """What can't be a model or a tag is refused where it is written."""
    with pytest.raises(TypeError, match=next(iter(arguments))):
        nbtokens.recorded(**arguments)
