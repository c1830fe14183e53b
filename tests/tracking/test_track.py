"""`nbtokens.track`: the loop is the user's own, the figures are those of its calls."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import openai
import pandas as pd
import pytest

import nbtokens
from nbtokens.context import current_place
from nbtokens.reports.hidden import hiding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from ledgers import Ledger

    from nbtokens.demo.endpoint import Endpoint


def spend(usd: float | str, **fields: Any) -> None:  # noqa: ANN401
    """A call of this price, in a moment."""
    nbtokens.record(model="m", input_tokens=10, output_tokens=50, cost_usd=Decimal(str(usd)), duration_s=1, **fields)


def test_rows_come_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Each row once, in order; the bar says how many, what they cost, what they will, how fast, and what failed."""
    seen = []
    for row in nbtokens.track([1, 2, 3, 4]):
        seen.append(row)
        spend(row)
        if row == 2:
            spend(0, status="error")
    assert seen == [1, 2, 3, 4]
    last = capsys.readouterr().err.split("\r")[-1]
    assert "4/4" in last
    assert "$10.00 → $10.00, 50.0 tok/s, 5 calls, 1 failed" in last


def test_what_all_rows_will_cost() -> None:
    """The expected cost is the average of the rows so far, times all of them; without a total there is none."""
    bar = nbtokens.track([1, 2, 3, 4])
    for number, _ in enumerate(bar):
        spend(2)
        if number == 1:
            assert bar.text(2) == "$4.0000 → $8.0000, 50.0 tok/s, 2 calls"
            break
    endless = nbtokens.track(iter([1, 2]))
    for _ in endless:
        spend(2)
    assert "→" not in endless.text(2)
    with pytest.raises(TypeError, match="total="):
        len(endless)
    assert len(nbtokens.track(iter([1, 2]), total=2)) == 2


def test_real_calls_belong_to_their_row(recording: Ledger, simulated: Endpoint) -> None:
    """Calls of a real client count for the row in which they were made, under the operation around the loop."""
    with (
        openai.OpenAI(base_url=f"{simulated.base_url}/v1", api_key="none") as client,
        nbtokens.operation("summarise") as outer,
    ):
        bar = nbtokens.track(["one", "two two", "three"])
        for text in bar:
            if text != "three":
                client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
    assert [step.calls for step in bar.steps] == [1, 1, 0]
    assert (bar.calls, outer.calls) == (2, 2)
    rows = recording.rows()
    assert {row["operation"] for row in rows} == {"summarise"}
    assert bar.total_tokens == sum(row["total_tokens"] for row in rows)


def test_cost_of_each_row() -> None:
    """Zero for a row without calls; None for one with a call whose price is not known."""
    bar = nbtokens.track([1, 2, 3])
    for row in bar:
        if row == 1:
            spend(3)
            spend(4)
        elif row == 2:
            nbtokens.record(model="nobody-knows-it", input_tokens=1)
    assert bar.costs == [7, None, 0]


@pytest.mark.parametrize("way", ["to the end", "break", "error"])
def test_costs_as_a_column(way: str) -> None:
    """A DataFrame's rows come as Series, and its column holds what each has cost, however the loop ends."""
    frame = pd.DataFrame({"text": ["a", "b", "c"]}, index=[7, 7, 9])

    def run() -> None:
        for number, row in enumerate(nbtokens.track(frame, cost_column="cost_usd")):
            assert row["text"] == "abc"[number]
            spend(number + 1)
            if number == 1 and way == "break":
                break
            if number == 1 and way == "error":
                raise ValueError

    with suppress(ValueError):
        run()
    gc.collect()
    costs = frame["cost_usd"].tolist()
    assert costs[:2] == [1, 2]
    assert costs[2] == 3 if way == "to the end" else pd.isna(costs[2])


@pytest.mark.parametrize("end", ["last", "break"])
def test_nothing_stays_behind(end: str, ledger: Ledger) -> None:
    """After the loop, calls belong to where they are made, and no longer to a row."""
    before = current_place()
    bar = nbtokens.track([1, 2])
    for _ in bar:
        spend(1)
        if end == "break":
            break
    assert current_place() == before
    spend(5)
    assert bar.cost_usd == len(bar.steps)


async def test_async_for() -> None:
    """`async for` loops over asynchronous and over plain rows, in a task of its own context too."""

    async def rows() -> AsyncIterator[int]:
        for number in (1, 2):
            await asyncio.sleep(0)
            yield number

    for given in (rows(), [1, 2]):
        bar = nbtokens.track(given)
        seen = []
        async for row in bar:
            await asyncio.sleep(0)
            spend(row)
            seen.append(row)
        assert seen == [1, 2]
        assert bar.costs == [1, 2]
    assert current_place().scopes == ()
    async for _ in nbtokens.track([1, 2]):
        break
    assert current_place().scopes == ()


async def test_tasks_that_end_later() -> None:
    """A task's calls count for the row in which it was started, also when they end after the loop."""

    async def ask(cost: int) -> None:
        await asyncio.sleep(0.01)
        spend(cost)

    bar = nbtokens.track([3, 2, 1])
    async with asyncio.TaskGroup() as group:
        async for row in bar:
            group.create_task(ask(row))
    assert bar.costs == [3, 2, 1]


def test_it_stops_at_its_own_budget(capsys: pytest.CaptureFixture[str]) -> None:
    """No row begins that would pass the budget; the loop ends as at its end, and the bar says why."""
    bar = nbtokens.track([1] * 10, budget=3.5)
    reached = 0
    for _ in bar:
        reached += 1
        spend(1)
    assert reached == 3
    assert bar.stopped == "stopped: $3.0000 of $3.50 are spent"
    assert bar.stopped in capsys.readouterr().err
    assert list(nbtokens.track([1], budget=0)) == []


def test_it_stops_at_the_limits_that_are_set(recording: Ledger) -> None:
    """A limit of money or of tokens that stops calls ends the loop before the row that would pass it; others don't."""
    with nbtokens.budget(2.5):
        bar = nbtokens.track([1] * 10)
        assert sum(1 for _ in bar if spend(1) is None) == 2
        assert bar.stopped is not None
        assert "this session is near its limit of $2.50 per session" in bar.stopped
    with nbtokens.budget(tokens=300):  # 120 are used
        assert sum(1 for _ in nbtokens.track([1] * 10) if spend(1) is None) == 3
    with nbtokens.budget(1, then="warn"):
        assert sum(1 for _ in nbtokens.track([1] * 4) if spend(1) is None) == 4


def test_a_call_that_the_budget_stops(recording: Ledger, simulated: Endpoint) -> None:
    """`BudgetExceeded` ends the loop as any error; around it, `with` lets the code behind go on."""
    ledger_rows = recording.rows
    with openai.OpenAI(base_url=f"{simulated.base_url}/v1", api_key="none") as client:

        def ask() -> None:
            client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hi"}], max_completion_tokens=1_000
            )

        frame = pd.DataFrame({"n": [1, 2]})
        with nbtokens.budget(tokens=500), nbtokens.track(frame, cost_column="cost_usd") as bar:
            for _ in bar:
                ask()
        assert bar.stopped is not None
        assert "was not sent" in bar.stopped
        assert ledger_rows() == []
        assert "cost_usd" in frame
        with nbtokens.budget(tokens=500), pytest.raises(nbtokens.BudgetExceeded):  # noqa: PT012
            for _ in nbtokens.track([1]):
                ask()
        with pytest.raises(ValueError, match="mine"), nbtokens.track([1]):  # noqa: PT012
            message = "mine"
            raise ValueError(message)


def test_it_stops_between_rows(recording: Ledger, simulated: Endpoint) -> None:
    """A row whose call a limit would stop, by the call's own estimate, does not begin: no error, and no `with`."""
    with openai.OpenAI(base_url=f"{simulated.base_url}/v1", api_key="none") as client, nbtokens.budget(tokens=1_500):
        bar = nbtokens.track(range(50))
        for n in bar:
            message = {"role": "user", "content": f"question {n}"}
            client.chat.completions.create(model="m", messages=[message], max_completion_tokens=1_000)
    assert bar.stopped is not None
    assert "near its limit of 1,500 tokens per session" in bar.stopped
    assert 1 < len(recording.rows()) == len(bar.steps)


def test_hidden_money(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the user hides money, the bar shows none, not in its reason to stop either."""
    monkeypatch.setattr(hiding, "on", True)
    for _ in nbtokens.track([1] * 10, budget=3.5):
        spend(1)
    said = capsys.readouterr().err
    assert "3/10" in said
    assert "$" not in said
    assert "stopped: ••• of ••• are spent" in said


def test_a_source_that_fails() -> None:
    """An error of the rows' own comes through, and nothing stays behind."""

    def rows() -> Iterator[int]:
        yield 1
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        list(nbtokens.track(rows()))
    assert current_place().scopes == ()


def test_what_can_not_be() -> None:
    """A column needs a DataFrame, a budget an amount."""
    with pytest.raises(nbtokens.NbtokensError, match="cost_column is for a DataFrame"):
        nbtokens.track([1], cost_column="cost")
    with pytest.raises(nbtokens.ConfigError, match="no amount of USD"):
        nbtokens.track([1], budget="much")
    assert list(nbtokens.track([])) == []
