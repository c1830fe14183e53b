"""Labels for calls: as a block, as a decorator, nested, in tasks, and while it runs."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pytest
from clients import SDKS, Client

import nbtokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from ledgers import Ledger

    from nbtokens.demo.endpoint import Endpoint

CHAT: Final = {str(sdk): sdk for sdk in SDKS}["openai.chat-sync"]
ASYNC_CHAT: Final = {str(sdk): sdk for sdk in SDKS}["openai.chat-async"]


@pytest.fixture
def gpt(simulated: Endpoint) -> Iterator[Client]:
    """A sync client."""
    with CHAT.client(simulated.base_url) as client:
        yield client


@pytest.fixture
async def async_gpt(simulated: Endpoint) -> AsyncIterator[Client]:
    """An async client."""
    async with ASYNC_CHAT.client(simulated.base_url) as client:
        yield client


def labels(ledger: Ledger) -> list[tuple[str | None, dict[str, Any] | None]]:
    """Operation and tags of the calls, in their order."""
    return [(row.get("operation"), row.get("tags")) for row in ledger.rows()]


def test_block(gpt: Client, recording: Ledger) -> None:
    """Calls inside of the block have its name and tags; calls before and after it have none."""
    CHAT.ask(gpt)
    with nbtokens.operation("fact_answering", domain="finance", round=2, hard=True, topics=["a", "b"]) as op:
        CHAT.ask(gpt)
        CHAT.ask(gpt)
    CHAT.ask(gpt)
    tags = {"domain": "finance", "round": 2, "hard": True, "topics": ["a", "b"]}
    assert labels(recording) == [(None, None), ("fact_answering", tags), ("fact_answering", tags), (None, None)]
    assert (op.calls, op.name, op.tags) == (2, "fact_answering", tags)


def test_while_it_runs(gpt: Client, recording: Ledger) -> None:
    """The figures grow with each call, and are there before the block ends."""
    seen = []
    with nbtokens.operation("x") as op:
        for _ in range(3):
            seen.append((op.calls, op.input_tokens, op.output_tokens, op.total_tokens))
            CHAT.ask(gpt)
        row = recording.rows()[0]
        each = (1, row["input_tokens"], row["output_tokens"], row["total_tokens"])
        assert seen == [tuple(part * number for part in each) for number in range(3)]
        assert [record.id for record in op.records] == [one["id"] for one in recording.rows()]


def test_cost() -> None:
    """The cost is the exact sum of what is priced; None where calls were made and none of them is."""
    with nbtokens.operation("x") as op:
        assert op.cost_usd == 0
        nbtokens.record(model="m", input_tokens=1)
        assert (op.cost_usd, op.unpriced_calls) == (None, 1)
        nbtokens.record(model="m", input_tokens=1, cost_usd="0.1")
        nbtokens.record(model="m", input_tokens=1, cost_usd="0.2")
        assert (op.cost_usd, op.unpriced_calls, op.calls) == (Decimal("0.3"), 1, 3)
        nbtokens.record(model="m", input_tokens=1, cost_usd=0, status="error")
        assert (op.failed_calls, op.calls) == (1, 4)


def test_nested(gpt: Client, recording: Ledger) -> None:
    """The innermost gives the name, tags add up, and the outer one counts the inner one's calls too."""
    with nbtokens.operation("outer", a=1, b=1) as outer:
        with nbtokens.operation("inner", b=2) as inner:
            CHAT.ask(gpt)
        CHAT.ask(gpt)
    assert labels(recording) == [("inner", {"a": 1, "b": 2}), ("outer", {"a": 1, "b": 1})]
    assert (outer.calls, inner.calls) == (2, 1)


def test_entered_again(gpt: Client, recording: Ledger) -> None:
    """Entered a second time, it goes on counting; entered inside of itself, each call counts once."""
    op = nbtokens.operation("x")
    for _ in range(2):
        with op:
            CHAT.ask(gpt)
    assert op.calls == 2
    with op, op:
        CHAT.ask(gpt)
    assert op.calls == 3
    assert labels(recording) == [("x", None)] * 3


def test_recursion(gpt: Client, recording: Ledger) -> None:
    """A decorated function that calls itself counts each call once."""

    @(op := nbtokens.operation("solve"))
    def solve(depth: int) -> None:
        CHAT.ask(gpt)
        if depth:
            solve(depth - 1)

    solve(3)
    assert op.calls == len(recording.rows()) == 4


async def test_shared_by_tasks(async_gpt: Client, recording: Ledger) -> None:
    """One operation may be entered by several tasks at once; each leaves it when its own block ends."""
    op = nbtokens.operation("shared")
    entered, left = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        with op:
            await entered.wait()
        await ASYNC_CHAT.ask(async_gpt)
        left.set()

    async def second() -> None:
        with op:
            entered.set()
            await left.wait()
            await ASYNC_CHAT.ask(async_gpt)
        await ASYNC_CHAT.ask(async_gpt)

    await asyncio.gather(first(), second())
    assert labels(recording) == [(None, None), ("shared", None), (None, None)]
    assert op.calls == 1


def test_exceptions_pass(gpt: Client, recording: Ledger) -> None:
    """An exception inside leaves the block as it is, and the block's label is gone after it."""
    error = ValueError("mine")
    with pytest.raises(ValueError, match="mine") as raised, nbtokens.operation("x"):
        raise error
    assert raised.value is error
    CHAT.ask(gpt)
    assert labels(recording) == [(None, None)]


def test_decorator(gpt: Client, recording: Ledger) -> None:
    """A decorated function keeps its face and its result; each run counts into the one operation."""

    @(op := nbtokens.operation("summarise", round=1))
    def summarise(text: str, *, times: int = 1) -> str:
        """Say it."""
        CHAT.ask(gpt)
        return text * times

    assert summarise("a", times=3) == "aaa"
    assert summarise("b") == "b"
    assert (summarise.__name__, summarise.__doc__) == ("summarise", "Say it.")
    assert list(inspect.signature(summarise).parameters) == ["text", "times"]
    assert op.calls == 2
    assert labels(recording) == [("summarise", {"round": 1})] * 2


async def test_async_decorator(async_gpt: Client, recording: Ledger) -> None:
    """The same for an `async def`, which stays one; runs at the same time don't mix."""

    @(op := nbtokens.operation("outer"))
    async def work(number: int) -> int:
        with nbtokens.operation(f"inner {number}"):
            await ASYNC_CHAT.ask(async_gpt)
        await ASYNC_CHAT.ask(async_gpt)
        return number

    assert inspect.iscoroutinefunction(work)
    assert await asyncio.gather(*map(work, range(4))) == list(range(4))
    assert op.calls == 8
    expected = [*(f"inner {number}" for number in range(4)), *["outer"] * 4]
    assert sorted(name or "" for name, _ in labels(recording)) == sorted(expected)


def test_decorated_generator(gpt: Client, recording: Ledger) -> None:
    """The calls that a decorated generator makes, while it is iterated, belong to the operation."""

    @(op := nbtokens.operation("stream"))
    def parts() -> Iterator[int]:
        for number in range(2):
            CHAT.ask(gpt)
            yield number

    for _ in parts():
        CHAT.ask(gpt)
    assert op.calls == 2
    assert labels(recording) == [("stream", None), (None, None)] * 2


async def test_decorated_async_generator(async_gpt: Client, recording: Ledger) -> None:
    """The same for an asynchronous one."""

    @(op := nbtokens.operation("stream"))
    async def parts() -> AsyncIterator[int]:
        for number in range(2):
            await ASYNC_CHAT.ask(async_gpt)
            yield number

    assert [number async for number in parts()] == [0, 1]
    assert op.calls == 2


async def test_tasks_belong_to_where_they_were_started(async_gpt: Client, recording: Ledger) -> None:
    """A task that was started inside goes on belonging to it when the block has ended."""
    async with nbtokens.operation("x") as op:
        task = asyncio.create_task(asyncio.sleep(0, ASYNC_CHAT))
        later = asyncio.create_task(_after(task, async_gpt))
    await later
    await ASYNC_CHAT.ask(async_gpt)
    assert op.calls == 1
    assert labels(recording) == [("x", None), (None, None)]


async def _after(task: asyncio.Task[Any], client: Client) -> None:
    await (await task).ask(client)


async def test_across_await(async_gpt: Client, recording: Ledger) -> None:
    """Two coroutines that take turns each keep their own label."""
    turn = [asyncio.Event(), asyncio.Event()]

    async def work(name: str, mine: asyncio.Event, other: asyncio.Event) -> None:
        with nbtokens.operation(name):
            other.set()
            await mine.wait()
            await ASYNC_CHAT.ask(async_gpt)

    await asyncio.gather(work("a", turn[0], turn[1]), work("b", turn[1], turn[0]))
    assert sorted(name or "" for name, _ in labels(recording)) == ["a", "b"]


def test_stream_belongs_to_where_it_was_asked_for(gpt: Client, recording: Ledger) -> None:
    """A stream that is read after its block has ended belongs to the block."""
    with nbtokens.operation("x") as op:
        stream = CHAT.ask(gpt, stream=True)
    with nbtokens.operation("y"):
        assert list(stream)
    assert labels(recording) == [("x", None)]
    assert op.calls == 1


def test_left_in_another_context() -> None:
    """A block that is left in another context than it was entered in, as by a collected generator, raises nothing."""
    op = nbtokens.operation("x")
    contextvars.copy_context().run(op.__enter__)
    op.__exit__(None, None, None)
    nbtokens.record(model="m", input_tokens=1, cost_usd=0)
    assert op.calls == 0


@pytest.mark.parametrize("value", [None, {"a": 1}, ["a", 1], ("a",), b"a", ..., 1j, [["a"]]], ids=repr)
def test_tags_are_checked(value: Any) -> None:  # noqa: ANN401 - anything that is no tag
    """A tag of another type is refused where it is given, with its name and what may be one."""
    with pytest.raises(TypeError, match=r"'domain'.*text, a number, true or false, or a list of texts"):
        nbtokens.operation("x", domain=value)


def test_repr() -> None:
    """It shows its name and its figures, as the session and the history do; what has no price is never $0."""
    with nbtokens.operation("x") as op:
        nbtokens.record(model="m", input_tokens=1200, output_tokens=3)
        assert repr(op) == "<operation 'x': 1 call, 1,200 in, 3 out, 1 unpriced>"
        nbtokens.record(model="m", input_tokens=1, cost_usd="0.5")
    figures = "2 calls, 1,201 in, 3 out, $0.5000 + 1 unpriced>"
    assert repr(op) == f"<operation 'x': {figures}"
    assert repr(nbtokens.session()).endswith(f": {figures}")
    assert repr(nbtokens.history()).endswith(f": {figures}")
