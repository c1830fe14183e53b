"""The `run` rows that operations leave: one for each run, with or without calls."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from typing import TYPE_CHECKING, Any, Final

import pytest
from clients import SDKS, Client

import nbtokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from ledgers import Ledger

    from nbtokens.demo.endpoint import Endpoint

CHAT: Final = {str(sdk): sdk for sdk in SDKS}["openai.chat-sync"]


@pytest.fixture
def gpt(simulated: Endpoint) -> Iterator[Client]:
    """A sync client."""
    with CHAT.client(simulated.base_url) as client:
        yield client


def runs(ledger: Ledger) -> list[tuple[Any, ...]]:
    """Operation, calls and status of the run rows, in their order."""
    return [(row["operation"], row["calls"], row["status"]) for row in ledger.rows("run")]


def test_a_row_for_each_run(gpt: Client, recording: Ledger) -> None:
    """A run with calls and one without each leave a row, with how many calls there were and where it ran."""
    with nbtokens.run_id("r"):
        for calls in (2, 0):
            with nbtokens.operation("ask", domain="x"):
                for _ in range(calls):
                    CHAT.ask(gpt)
    assert runs(recording) == [("ask", 2, "ok"), ("ask", 0, "ok")]
    calls = recording.rows()
    for row in recording.rows("run"):
        assert (row["tags"], row["run_id"], row["session"]) == ({"domain": "x"}, "r", nbtokens.session().id)
        assert not row.keys() & {"input_tokens", "output_tokens", "total_tokens", "cost_usd", "model"}
    first = recording.rows("run")[0]
    assert first["duration_s"] >= sum(row["duration_s"] for row in calls)
    assert first["started_at"] <= calls[0]["started_at"]
    sums = nbtokens.history().sums
    assert (sums.calls, sums.runs, sums.runs_without_calls) == (2, 2, 1)


def test_nested_runs(gpt: Client, recording: Ledger) -> None:
    """The outer run counts the inner one's calls too; recursion into the same operation is one run."""

    @nbtokens.operation("solve")
    def solve(depth: int) -> None:
        CHAT.ask(gpt)
        if depth:
            solve(depth - 1)

    with nbtokens.operation("outer"):
        solve(2)
    assert runs(recording) == [("solve", 3, "ok"), ("outer", 3, "ok")]


def test_a_run_that_fails(recording: Ledger) -> None:
    """A run that ends with an exception is an error, with the exception's name, never its text."""
    with pytest.raises(ValueError, match="secret"), nbtokens.operation("x"):
        raise ValueError("secret")
    row = recording.only()
    assert (row["kind"], row["status"], row["error"], row["calls"]) == ("run", "error", "ValueError", 0)
    assert b"secret" not in recording.everything()


def test_a_stream_that_is_read_later_counts(gpt: Client, recording: Ledger) -> None:
    """A run that asked for a stream used the model, though the stream is read after its end."""
    with nbtokens.operation("x"):
        stream = CHAT.ask(gpt, stream=True)
    assert runs(recording) == [("x", 1, "ok")]
    assert list(stream)


def test_calls_recorded_by_hand_count(ledger: Ledger) -> None:
    """They make a row even where no client is hooked; a run without calls then leaves none."""
    with nbtokens.operation("x"):
        nbtokens.record(model="m", input_tokens=1)
    with nbtokens.operation("y"):
        pass
    assert runs(ledger) == [("x", 1, "ok")]


def test_a_generator_is_one_run(recording: Ledger) -> None:
    """However many steps it takes, a decorated generator runs once; one that is collected half-way, too."""

    @nbtokens.operation("stream")
    def parts() -> Iterator[int]:
        for number in range(3):
            nbtokens.record(model="m", input_tokens=1)
            yield number

    assert list(parts()) == [0, 1, 2]
    parts()
    half = parts()
    next(half)
    del half
    gc.collect()
    recording.wait_for(2, "run")
    assert runs(recording) == [("stream", 3, "ok"), ("stream", 1, "ok")]


async def test_an_asynchronous_generator_is_one_run(recording: Ledger) -> None:
    """The same for an asynchronous one, and one that fails says so."""

    @nbtokens.operation("stream")
    async def parts(*, fail: bool) -> AsyncIterator[int]:
        nbtokens.record(model="m", input_tokens=1)
        yield 0
        await asyncio.sleep(0)
        if fail:
            raise KeyError
        yield 1

    assert [number async for number in parts(fail=False)] == [0, 1]
    with pytest.raises(KeyError):
        assert [number async for number in parts(fail=True)]
    recording.wait_for(2, "run")
    assert runs(recording) == [("stream", 1, "ok"), ("stream", 1, "error")]


async def test_tasks_each_run(recording: Ledger) -> None:
    """One operation that several tasks enter at once runs once in each, with that task's own calls."""
    op = nbtokens.operation("shared")

    async def work(calls: int) -> None:
        with op:
            for _ in range(calls):
                nbtokens.record(model="m", input_tokens=1)
                await asyncio.sleep(0)

    await asyncio.gather(work(0), work(1), work(2))
    assert sorted(runs(recording)) == [("shared", 0, "ok"), ("shared", 1, "ok"), ("shared", 2, "ok")]


def test_left_in_another_context(recording: Ledger) -> None:
    """A block that is left in another context than it was entered in leaves no row, and raises nothing."""
    op = nbtokens.operation("x")
    contextvars.copy_context().run(op.__enter__)
    op.__exit__(None, None, None)
    assert runs(recording) == []


def test_runs_are_not_logged_as_calls(recording: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """The log tells of calls."""
    caplog.set_level("INFO", "nbtokens")
    with nbtokens.operation("x"):
        pass
    assert runs(recording) == [("x", 0, "ok")]
    assert caplog.records == []


def test_tables_by_model_leave_runs_out(recording: Ledger) -> None:
    """A run has no model and is no call: it makes no line in the summary's tables by model and notebook."""
    with nbtokens.operation("x"):
        nbtokens.record(model="m", input_tokens=1)
    assert "(no model)" not in nbtokens.history().summary()
