"""`cost`: sums, the forecast, what is not priced, and planted savings that are known to the cent."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from genai_prices import Usage, calc_price
from made_up import BEGAN
from scipy import stats

from nbtokens.analysis.spending import forecast
from nbtokens.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.record import Record

    Make = Callable[..., Record]
    Write = Callable[[list[Record]], None]
    Asked = Callable[..., dict[str, Any]]


@pytest.fixture
def cost(capsys: pytest.CaptureFixture[str]) -> Asked:
    """Ask for the cost, as JSON; money as exact decimals."""

    def cost(*words: str, code: int = 0) -> dict[str, Any]:
        assert main(["cost", "--json", *words]) == code
        answer: dict[str, Any] = json.loads(capsys.readouterr().out, parse_float=Decimal)
        return answer

    return cost


def saved(answer: dict[str, Any]) -> dict[tuple[str, str], tuple[int, Decimal]]:
    return {(one["kind"], one["where"]): (one["calls"], Decimal(one["saved_usd"])) for one in answer["savings"]}


def test_sums_are_those_of_pandas(mixed: list[Record], write: Write, cost: Asked) -> None:
    """The total, by model, operation and user, and each day, to the last digit."""
    write(mixed)
    answer = cost()
    calls = pd.DataFrame(
        {
            "operation": one.operation or one.call_type,
            **{name: getattr(one, name) for name in ("model", "user", "cost_usd", "started_at")},
        }
        for one in mixed
        if one.kind == "call"
    )
    calls["cost_usd"] = [cost or Decimal(0) for cost in calls["cost_usd"]]
    assert Decimal(answer["cost_usd"]) == sum(calls["cost_usd"])
    for by in ("model", "operation", "user"):
        groups = {None if pd.isna(name) else name: sum(of["cost_usd"]) for name, of in calls.groupby(by, dropna=False)}
        assert {one["name"]: Decimal(one["cost_usd"]) for one in answer["by"][by] if one["calls"]} == groups
    days = calls.groupby(calls["started_at"].dt.strftime("%Y-%m-%d"))["cost_usd"].sum()
    assert {day: Decimal(amount) for day, amount in answer["daily"].items()} == dict(days)


def test_only_some_calls(mixed: list[Record], write: Write, cost: Asked) -> None:
    """The selection holds for the sums too."""
    write(mixed)
    answer = cost("--user", "ada", "--since", "2026-11-05")
    assert Decimal(answer["cost_usd"]) == sum(
        one.cost_usd or 0
        for one in mixed
        if one.kind == "call" and one.user == "ada" and one.started_at >= BEGAN.replace(day=5, hour=0)
    )


def test_what_is_not_priced(mixed: list[Record], write: Write, cost: Asked, capsys: Any) -> None:  # noqa: ANN401
    """Calls without a price are in no sum; they are listed, with what to write into the settings."""
    write(mixed)
    local = [one for one in mixed if one.kind == "call" and one.model == "local_model" and one.status == "ok"]
    [unpriced] = cost()["unpriced"]
    assert (unpriced["model"], unpriced["calls"]) == ("local_model", len(local))
    assert unpriced["input_tokens"] == sum(one.input_tokens or 0 for one in local)
    assert main(["cost"]) == 0
    assert '[tool.nbtokens.prices."local_model"] input_per_mtok = 0.30' in capsys.readouterr().out


@pytest.mark.parametrize(("limit", "code"), [("0.29", 1), ("0.3", 0), ("10", 0)])
def test_max(limit: str, code: int, make: Make, write: Write, cost: Asked) -> None:
    """The exit code says whether more was spent, exactly."""
    write([make(cost_usd=Decimal("0.1"), input_tokens=1), make(cost_usd=Decimal("0.2"), input_tokens=1)])
    cost("--max", limit, code=code)


def test_max_of_nonsense(capsys: pytest.CaptureFixture[str]) -> None:
    """What is no amount is refused."""
    with pytest.raises(SystemExit) as end:
        main(["cost", "--max", "much"])
    assert end.value.code == 2
    assert "'much' is no amount of USD" in capsys.readouterr().err


def test_nothing_is_invented(mixed: list[Record], write: Write, cost: Asked, capsys: Any) -> None:  # noqa: ANN401
    """A history without waste brings no advice."""
    write(mixed)
    assert cost()["savings"] == []
    assert main(["cost"]) == 0
    assert "Nothing in the history shows how money could have been saved." in capsys.readouterr().out


def test_planted_repetitions(make: Make, write: Write, cost: Asked) -> None:
    """Identical requests, repeated embeddings and cells run again: how many, and what they cost."""
    paid = {"input_tokens": 10, "output_tokens": 1000, "model": "m"}
    one = {**paid, "request_hash": "a", "operation": "ask", "session": "s"}
    embedding = {**paid, "request_hash": "b", "call_type": "embeddings"}
    cell = {**paid, "request_hash": "c", "notebook": "n.ipynb", "cell": "c1"}
    write(
        [
            make(**one, status="error"),
            *(make(**one, cost_usd=Decimal("0.01") * number) for number in range(1, 6)),
            *(make(**embedding, cost_usd=Decimal("0.02")) for _ in range(4)),
            *(make(**cell, session="s", execution_count=number, cost_usd=Decimal("0.05")) for number in range(5)),
            *(make(**{**paid, "request_hash": "twice"}, cost_usd=Decimal("0.5")) for _ in range(3)),
            *(make(**{**paid, "request_hash": "cheap"}, cost_usd=Decimal("0.0001")) for _ in range(9)),
            *(make(**{**paid, "request_hash": f"own {n}"}, cost_usd=Decimal("0.5")) for n in range(9)),
        ]
    )
    assert saved(cost()) == {
        ("rerun", "n.ipynb [c1]"): (4, Decimal("0.20")),
        ("identical", "ask, m"): (4, Decimal("0.14")),
        ("embeddings", "embeddings, m"): (3, Decimal("0.06")),
        ("identical", "m"): (2 + 8, Decimal("1.0008")),
    }


def test_an_answer_that_was_not_read_to_its_end_is_none(make: Make, write: Write, cost: Asked) -> None:
    """Asking again for what was cut off repeats nothing."""
    write([make(request_hash="a", complete=False, cost_usd=Decimal(1), output_tokens=1) for _ in range(9)])
    assert cost()["savings"] == []


def test_planted_failures_and_cut_off_answers(make: Make, write: Write, cost: Asked) -> None:
    """What failed and was paid for, and what was paid for and is not whole."""
    write(
        [
            *(make(status="error", input_tokens=9, cost_usd=Decimal("0.03")) for _ in range(3)),
            *(make(finish_reason="length", output_tokens=200, cost_usd=Decimal("0.02")) for _ in range(4)),
        ]
    )
    answer = cost()
    assert saved(answer) == {("failed", "m"): (3, Decimal("0.09")), ("truncated", "m"): (4, Decimal("0.08"))}
    assert [one["at_most"] for one in answer["savings"]] == [False, True]


def test_planted_prefix(make: Make, write: Write, cost: Asked) -> None:
    """A long leading block that the provider could have cached: the shortest request, at the cached price."""
    model = {"model": "gpt-5", "provider": "openai", "cost_usd": Decimal("0.1"), "output_tokens": 500, "stream": True}
    at = [BEGAN + timedelta(seconds=number * 100) for number in range(50)]
    late = [BEGAN + timedelta(days=1, minutes=6 * number) for number in range(50)]
    write(
        [
            *(make(**model, started_at=when, prefix_hash="p", input_tokens=50_000 + n) for n, when in enumerate(at)),
            *(make(**model, started_at=when, prefix_hash="late", input_tokens=50_000) for when in late),
            *(make(**model, started_at=when, prefix_hash="short", input_tokens=1000) for when in at),
            *(
                make(**model, started_at=when, prefix_hash="hit", input_tokens=50_000, cache_read_input_tokens=49_000)
                for when in at
            ),
        ]
    )
    plain, cached = (
        calc_price(usage, "gpt-5", provider_id="openai", genai_request_timestamp=BEGAN).total_price
        for usage in (Usage(input_tokens=50_000), Usage(input_tokens=50_000, cache_read_tokens=50_000))
    )
    assert saved(cost()) == {("prefix", "gpt-5"): (49, (plain - cached) * 49)}


def test_planted_simple_answers(make: Make, write: Write, cost: Asked) -> None:
    """Short answers to short questions, against the next cheaper model of the same provider and generation."""
    usage = {"input_tokens": 900, "output_tokens": 50}
    model = {"model": "gpt-5", "provider": "openai", "cost_usd": Decimal("0.001625")}
    hours = [BEGAN + timedelta(hours=number) for number in range(60)]
    write([make(**model, **usage, started_at=when) for when in hours])
    here, there = (
        calc_price(Usage(**usage), name, provider_id="openai", genai_request_timestamp=BEGAN).total_price
        for name in ("gpt-5", "gpt-5-mini")
    )
    [one] = cost()["savings"]
    assert (one["kind"], one["where"], one["calls"]) == ("cheaper", "gpt-5", 60)
    assert Decimal(one["saved_usd"]) == (here - there) * 60
    assert "gpt-5-mini would have cost" in one["advice"]


def test_planted_bulk(make: Make, write: Write, cost: Asked) -> None:
    """A hundred calls in an hour, not streamed, against the batch price; fewer, or streamed ones, say nothing."""
    usage = {"input_tokens": 3000, "output_tokens": 900}
    model = {"model": "gpt-5", "provider": "openai", "cost_usd": Decimal("0.01275")}
    within = [BEGAN + timedelta(seconds=30 * number) for number in range(100)]
    write(
        [
            *(make(**model, **usage, started_at=when, operation="bulk") for when in within),
            *(make(**model, **usage, started_at=when, operation="few") for when in within[:99]),
            *(make(**model, **usage, started_at=when, operation="stream", stream=True) for when in within),
        ]
    )
    half = calc_price(
        Usage(**usage),
        "gpt-5",
        provider_id="openai",
        genai_request_timestamp=BEGAN,
        price_context={"processing": "batch"},
    ).total_price
    found = saved(cost())
    assert set(found) == {("batch", "bulk, gpt-5")}
    assert float(found["batch", "bulk, gpt-5"][1]) == pytest.approx(float(Decimal("0.01275") - half) * 100)


def days_of(costs: list[float], today: date) -> dict[date, float]:
    return {today - timedelta(days=len(costs) - number): cost for number, cost in enumerate(costs) if cost}


def test_forecast_without_a_trend() -> None:
    """The average goes on; the range is the prediction interval of the sum of the days to come."""
    today = date(2026, 11, 20)
    costs = [3.0, 5.0, 4.0, 0.0, 6.0, 3.0, 5.0, 2.0, 4.0, 5.0]
    found = forecast({**days_of(costs, today), today: 1.0}, today)
    assert found is not None
    assert found.trend is None
    mean, ahead = np.mean(costs), 11
    assert found.so_far == pytest.approx(sum(costs) + 1)
    assert found.month == pytest.approx(sum(costs) + 1 + (mean - 1) + 10 * mean)
    error = np.std(costs, ddof=1) * np.sqrt(ahead + ahead**2 / len(costs))
    assert found.high - found.month == pytest.approx(stats.t.ppf(0.9, len(costs) - 1) * error)
    assert found.low == pytest.approx(max(found.month - (found.high - found.month), found.so_far))


def test_forecast_with_a_trend() -> None:
    """A line that can be shown goes on; the range is that of statsmodels' prediction of the sum."""
    today = date(2026, 11, 16)
    costs = [1 + 0.5 * number + 0.2 * (-1) ** number for number in range(15)]
    found = forecast(days_of(costs, today), today)
    assert found is not None
    assert found.trend is not None
    design = sm.add_constant(np.arange(15.0))
    model = sm.OLS(costs, design).fit()
    ahead = sm.add_constant(np.arange(15.0, 30.0))
    rest = model.predict(ahead)
    assert found.trend.value == pytest.approx(model.params[1])
    assert found.month == pytest.approx(sum(costs) + rest.sum())
    total = ahead.sum(axis=0)
    variance = model.mse_resid * len(ahead) + total @ model.cov_params() @ total
    assert found.high - found.month == pytest.approx(stats.t.ppf(0.9, 13) * np.sqrt(variance))


def test_forecast_covers_what_comes() -> None:
    """Of many made-up months about 80 % end inside of the range."""
    chance = np.random.default_rng(3)
    inside = 0
    for _ in range(400):
        costs = chance.gamma(4, 1, 30)
        today = date(2026, 11, 15)
        found = forecast({date(2026, 11, n + 1): costs[n] for n in range(14)}, today)
        assert found is not None
        inside += found.low <= costs.sum() <= found.high
    assert 0.72 <= inside / 400 <= 0.88


@pytest.mark.parametrize("costs", [[], [1.0] * 4, [0.0] * 10], ids=["nothing", "four days", "nothing spent"])
def test_too_little_for_a_forecast(costs: list[float]) -> None:
    """With fewer than five whole days, or nothing spent, there is none."""
    assert forecast(days_of(costs, date(2026, 11, 20)), date(2026, 11, 20)) is None


def test_report(make: Make, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """In words: what, where, how many, how much."""
    write([make(request_hash="a", cost_usd=Decimal("0.5"), output_tokens=500, operation="ask") for _ in range(11)])
    assert main(["cost"]) == 0
    printed = capsys.readouterr().out
    assert "identical requests  ask, m     10  $5.0000" in printed
    assert "identical requests, ask, m: 10 requests that had been answered before: keep the answers" in printed
