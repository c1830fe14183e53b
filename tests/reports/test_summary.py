"""USAGE_SUMMARY.md: every section, with figures that an independent computation finds too."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tables import markdown_tables

from nbtokens.amounts import count, local_time, seconds, usd
from nbtokens.history.totals import Totals
from nbtokens.reports.summary import summary_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nbtokens.record import Record

NOW = datetime(2026, 12, 24, 18, 0, tzinfo=UTC)
SECTIONS = [
    "Overall",
    "By model",
    "By operation",
    "By notebook",
    "Last 10 calls",
    "Cost analysis",
    "Speed",
    "Time range",
]


@pytest.fixture
def calls(records: list[Record]) -> list[Record]:
    return [record for record in records if record.kind == "call"]


@pytest.fixture
def page(records: list[Record], totals_of: Callable[[Iterable[Record]], Totals]) -> dict[str, list[list[str]]]:
    """The page's tables by their headings."""
    return markdown_tables(summary_of(totals_of(records), NOW))


def _cost(calls: list[Record]) -> str:
    paid = sum((one.cost_usd for one in calls if one.cost_usd is not None), Decimal(0))
    unpriced = sum(one.cost_usd is None and one.status == "ok" for one in calls)
    return " + ".join(filter(None, [usd(paid) if paid else "", f"{unpriced} unpriced" if unpriced else ""])) or "$0.00"


def _figures(calls: list[Record]) -> list[str]:
    timed = [one for one in calls if one.status == "ok" and one.output_tokens]
    took = sum(one.duration_s or 0 for one in timed)
    speed = f"{sum(one.output_tokens or 0 for one in timed) / took:,.1f}" if timed else "n/a"
    return [
        count(len(calls)),
        count(sum(one.status == "error" for one in calls)),
        count(sum(one.input_tokens or 0 for one in calls)),
        count(sum(one.cache_read_input_tokens or 0 for one in calls)),
        count(sum(one.output_tokens or 0 for one in calls)),
        _cost(calls),
        speed,
    ]


def test_sections(page: dict[str, list[list[str]]]) -> None:
    """The page has every section, in the order in which one asks."""
    assert list(page) == SECTIONS


def test_overall(page: dict[str, list[list[str]]], calls: list[Record], records: list[Record]) -> None:
    """Calls, failed ones, tokens of every kind, cost and what is not priced, over everything."""
    of = {
        name: sum(getattr(one, name) or 0 for one in calls) for name in calls[0].__struct_fields__ if "tokens" in name
    }
    figures = _figures(calls)
    assert dict(page["Overall"][1:]) == {  # type: ignore[arg-type]
        "calls": figures[0],
        "failed calls": figures[1],
        "input tokens": figures[2],
        "of these cached": figures[3],
        "output tokens": figures[4],
        "of these reasoning": count(of["reasoning_output_tokens"]),
        "total tokens": count(of["input_tokens"] + of["output_tokens"]),
        "cost": figures[5],
        "unpriced calls": count(sum(one.cost_usd is None and one.status == "ok" for one in calls)),
        "calls with estimated tokens": count(sum(one.usage_source == "estimated" for one in calls)),
        "answers from a cache": count(sum(one.kind == "cache_hit" for one in records)),
        "tokens that they saved": count(sum(one.total_tokens or 0 for one in records if one.kind == "cache_hit")),
        "cost that they saved": usd(sum((one.saved_cost_usd or Decimal(0) for one in records), Decimal(0))),
    }


@pytest.mark.parametrize(
    ("section", "field", "nameless"),
    [
        ("By model", "model", "(no model)"),
        ("By operation", "operation", "(no operation)"),
        ("By notebook", "notebook", "(no notebook)"),
    ],
)
def test_by(section: str, field: str, nameless: str, page: dict[str, list[list[str]]], calls: list[Record]) -> None:
    """Each model, operation and notebook has a row with its own figures, the dearest first.

    Calls that belong to no operation are told apart by their type.
    """
    groups: dict[Any, list[Record]] = {}
    for one in calls:
        name = getattr(one, field)
        groups.setdefault(one.call_type if name is None and field == "operation" else name, []).append(one)
    head, *rows = page[section]
    assert head == [field, "calls", "failed", "input", "cached", "output", "cost", "tok/s"]
    assert {row[0]: row[1:] for row in rows} == {
        nameless if name is None else name: _figures(group) for name, group in groups.items()
    }
    paid = [sum(one.cost_usd or 0 for one in groups[None if row[0] == nameless else row[0]]) for row in rows]
    assert paid == sorted(paid, reverse=True)


def test_last_ten_calls(page: dict[str, list[list[str]]], calls: list[Record]) -> None:
    """The ten latest calls, the newest first, with what each was and how it went."""
    assert page["Last 10 calls"][1:] == [
        [
            local_time(one.started_at),
            one.model,
            one.operation or "",
            count(one.input_tokens),
            count(one.output_tokens),
            "" if one.status == "error" else usd(one.cost_usd),
            seconds(one.duration_s),
            "error: HTTP 500" if one.error else "ok (estimated)" if one.usage_source == "estimated" else "ok",
        ]
        for one in reversed(calls[-10:])
    ]


def test_cost_analysis(page: dict[str, list[list[str]]], calls: list[Record]) -> None:
    """Averages are over the calls that have a price: per call, per 1,000 tokens, per day with calls."""
    priced = [one for one in calls if one.cost_usd is not None]
    paid = sum((one.cost_usd or Decimal(0) for one in priced), Decimal(0))
    days = {one.started_at.date() for one in calls}
    assert len(days) > 1
    assert page["Cost analysis"][1:] == [
        ["average per call", usd(paid / len(priced))],
        ["average per 1K tokens", usd(paid / sum(one.total_tokens or 0 for one in priced) * 1000)],
        ["average per day with calls", usd(paid / len(days))],
        ["days with calls", str(len(days))],
    ]


def test_speed(page: dict[str, list[list[str]]], calls: list[Record]) -> None:
    """p50, p95 and p99 of speed and duration of the calls that succeeded, within 1 % by rank."""
    timed = [(one.output_tokens, one.duration_s) for one in calls if one.status == "ok"]
    assert page["Speed"][0] == ["what", "p50", "p95", "p99"]
    for row, unit, values in (
        (page["Speed"][1], " tok/s", [tokens / (duration or 1) for tokens, duration in timed if tokens]),
        (page["Speed"][2], " s", [duration or 0 for _, duration in timed]),
    ):
        shown = [float(cell.removesuffix(unit).replace(",", "")) for cell in row[1:]]
        assert shown == pytest.approx(np.quantile(values, [0.5, 0.95, 0.99], method="lower"), rel=0.014, abs=0.06)


def test_time_range(page: dict[str, list[list[str]]], calls: list[Record]) -> None:
    """When the first and the last call were made, in local time."""
    times = [one.started_at for one in calls]
    assert page["Time range"][1:] == [["first call", local_time(min(times))], ["last call", local_time(max(times))]]


def test_says_when_it_was_written(records: list[Record], totals_of: Callable[[Iterable[Record]], Totals]) -> None:
    """The page says when it was written, and from what."""
    first = summary_of(totals_of(records), NOW).split("\n\n")[1]
    assert local_time(NOW) in first
    assert "usage_history.json" in first


def test_empty_history() -> None:
    """A page without calls has its sections, says so in words, and shows no amount that nobody paid."""
    source = summary_of(Totals(), NOW)
    assert [line[3:] for line in source.splitlines() if line.startswith("## ")] == SECTIONS
    assert source.count("No calls yet.") == 4
    assert "No timed calls yet." in source
    assert dict(markdown_tables(source)["Cost analysis"][1:])["average per call"] == "n/a"  # type: ignore[arg-type]
    assert dict(markdown_tables(source)["Time range"][1:]) == {"first call": "n/a", "last call": "n/a"}  # type: ignore[arg-type]


def test_unpriced_is_never_zero(
    make_record: Callable[..., Record], totals_of: Callable[[Iterable[Record]], Totals]
) -> None:
    """Where no price is known, the page says "unpriced" and shows no dollar amount at all."""
    totals = totals_of([make_record(input_tokens=100, output_tokens=10, duration_s=1.0) for _ in range(3)])
    source = summary_of(totals, NOW)
    assert "$" not in source
    assert dict(markdown_tables(source)["Overall"][1:])["cost"] == "3 unpriced"  # type: ignore[arg-type]
    assert [row[5] for row in markdown_tables(source)["Last 10 calls"][1:]] == ["unpriced"] * 3


def test_free_is_zero(make_record: Callable[..., Record], totals_of: Callable[[Iterable[Record]], Totals]) -> None:
    """What costs nothing is shown as $0.00, and is not unpriced."""
    page = markdown_tables(summary_of(totals_of([make_record(input_tokens=100, cost_usd=Decimal(0))]), NOW))
    overall = dict(page["Overall"][1:])  # type: ignore[arg-type]
    assert (overall["cost"], overall["unpriced calls"]) == ("$0.00", "0")


def test_days_with_answers_from_a_cache_only(
    make_record: Callable[..., Record], totals_of: Callable[[Iterable[Record]], Totals]
) -> None:
    """A day on which a cache answered everything is no day with calls."""
    records = [
        make_record(started_at=datetime(2026, 1, 1, tzinfo=UTC), cost_usd=Decimal(4)),
        make_record(started_at=datetime(2026, 1, 2, tzinfo=UTC), kind="cache_hit"),
    ]
    rows = dict(markdown_tables(summary_of(totals_of(records), NOW))["Cost analysis"][1:])  # type: ignore[arg-type]
    assert (rows["average per day with calls"], rows["days with calls"]) == ("$4.0000", "1")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, "ok"),
        ({"usage_source": "estimated"}, "ok (estimated)"),
        ({"complete": False}, "ok (not complete)"),
        ({"complete": False, "usage_source": "estimated"}, "ok (estimated, not complete)"),
        ({"status": "error", "error": "HTTP 429"}, "error: HTTP 429"),
        ({"status": "error"}, "error"),
    ],
)
def test_how_a_call_went(
    fields: dict[str, Any],
    status: str,
    make_record: Callable[..., Record],
    totals_of: Callable[[Iterable[Record]], Totals],
) -> None:
    """The last calls say of each how it went."""
    page = markdown_tables(summary_of(totals_of([make_record(**fields)]), NOW))
    assert page["Last 10 calls"][1][-1] == status
