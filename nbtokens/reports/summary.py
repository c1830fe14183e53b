"""USAGE_SUMMARY.md: everything that the history tells, on one page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from nbtokens.amounts import NOT_KNOWN, count, local_time, seconds, speed, usd
from nbtokens.history.totals import RECENT
from nbtokens.reports.figures import by_table, calls_table, cost_of
from nbtokens.reports.markdown import markdown
from nbtokens.reports.report import Report, Table

if TYPE_CHECKING:
    from nbtokens.history.totals import Sums, Totals

_THOUSAND: Final = 1000
_NO_NOTEBOOK: Final = "(no notebook)"


def summary_of(totals: Totals, now: datetime | None = None) -> str:
    """The page as Markdown.

    Args:
        totals: of the whole history.
        now: when it is written; the present by default.
    """
    return markdown(summary_report(totals, now or datetime.now(UTC)))


def summary_report(totals: Totals, now: datetime) -> Report:
    """The page as data."""
    sums = totals.sums()
    return Report(
        "LLM usage",
        (
            f"Written by nbtokens at {local_time(now)} from usage_history.json; it is made anew after every call.",
            Table("Overall", ("what", ">all time"), _overall(sums)),
            by_table("By model", "model", totals.by("model"), "(no model)"),
            by_table("By operation", "operation", totals.by("operation"), "(no operation)"),
            by_table("By notebook", "notebook", totals.by("notebook"), _NO_NOTEBOOK),
            calls_table(f"Last {RECENT} calls", reversed(totals.recent)),
            Table("Cost analysis", ("what", ">USD"), _cost_analysis(totals, sums)),
            Table("Speed", ("what", ">p50", ">p95", ">p99"), _speed(totals), "No timed calls yet."),
            Table("Time range", ("what", "when"), _time_range(sums)),
        ),
    )


def _overall(sums: Sums) -> tuple[tuple[str, str], ...]:
    return (
        ("calls", count(sums.calls)),
        ("failed calls", count(sums.failed_calls)),
        ("input tokens", count(sums.input_tokens)),
        ("of these cached", count(sums.cache_read_input_tokens)),
        ("output tokens", count(sums.output_tokens)),
        ("of these reasoning", count(sums.reasoning_output_tokens)),
        ("total tokens", count(sums.total_tokens)),
        ("cost", cost_of(sums)),
        ("unpriced calls", count(sums.unpriced_calls)),
        ("calls with estimated tokens", count(sums.estimated_calls)),
        ("answers from a cache", count(sums.cache_hits)),
        *(_saved(sums) if sums.cache_hits else ()),
    )


def _saved(sums: Sums) -> tuple[tuple[str, str], ...]:
    """What answers from a cache would have used and cost, as far as it is known."""
    return (
        ("tokens that they saved", count(sums.saved_tokens)),
        ("cost that they saved", usd(sums.saved_cost_usd) if sums.saved_cost_usd else NOT_KNOWN),
    )


def _cost_analysis(totals: Totals, sums: Sums) -> tuple[tuple[str, str], ...]:
    """Averages of what is priced; a call without a price has no say in them."""
    priced = sums.priced_calls
    tokens = sums.priced_tokens
    days = totals.days()
    return (
        ("average per call", usd(sums.cost_usd / priced) if priced else NOT_KNOWN),
        ("average per 1K tokens", usd(sums.cost_usd * _THOUSAND / tokens) if tokens else NOT_KNOWN),
        ("average per day with calls", usd(sums.cost_usd / days) if priced else NOT_KNOWN),
        ("days with calls", count(days)),
    )


def _time_range(sums: Sums) -> tuple[tuple[str, str], ...]:
    return (("first call", local_time(sums.first_at)), ("last call", local_time(sums.last_at)))


def _speed(totals: Totals) -> tuple[tuple[str, ...], ...]:
    stats = totals.stats()
    if not stats["duration_s"]["count"]:
        return ()
    shares = ("p50", "p95", "p99")
    return (
        ("output tokens per second", *(speed(stats["tokens_per_second"][share]) for share in shares)),
        ("duration of a call", *(seconds(stats["duration_s"][share]) for share in shares)),
    )
