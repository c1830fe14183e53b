"""What `cost` shows: what was spent on what, how it goes on, what is not priced, what could be saved."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from nbtokens.amounts import NOT_KNOWN, count, usd
from nbtokens.analysis.spending import LEAST_DAYS
from nbtokens.reports.figures import by_table, cost_of
from nbtokens.reports.report import Part, Report, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbtokens.analysis.left_out import LeftOut
    from nbtokens.analysis.savings import Saving
    from nbtokens.analysis.spending import Forecast, Spending
    from nbtokens.history.totals import Sums

_THOUSAND: Final = 1000
_MOST: Final = 10
_WORDS: Final = {
    "identical": "identical requests",
    "embeddings": "repeated embeddings",
    "rerun": "cells run again",
    "prefix": "prefix not cached",
    "cheaper": "a cheaper model",
    "failed": "failed calls paid",
    "truncated": "cut off answers paid",
    "batch": "batch price",
}


def spending_report(spending: Spending, savings: Sequence[Saving], left_out: LeftOut | None) -> Report:
    """The report of what some calls cost.

    Args:
        spending: what they cost.
        savings: what could have been saved.
        left_out: calls in which no savings were looked for; None where these were looked for in all.
    """
    data = {**_data(spending, savings), "savings_left_out": None if left_out is None else left_out._asdict()}
    sums = spending.sums
    if not sums.calls and not sums.cache_hits:
        return Report("LLM cost", ("No calls are recorded that this asks for.",), data)
    parts: list[Part] = [Table("", ("what", ">USD"), _overall(sums))]
    parts += [by_table(f"By {name}", name, groups, f"(no {name})") for name, groups in spending.by.items()]
    parts += _going_on(spending.forecast)
    if spending.unpriced:
        parts += [_unpriced(spending), _how_to_price(spending)]
    parts += _could_have_been_saved(savings)
    if left_out is not None:
        parts.append(f"Of savings: {left_out.said('calls that were paid for')}")
    return Report("LLM cost", tuple(parts), data)


def _could_have_been_saved(savings: Sequence[Saving]) -> list[Part]:
    if not savings:
        return ["Nothing in the history shows how money could have been saved."]
    kinds: dict[str, list[Saving]] = {}
    for one in savings:
        kinds.setdefault(one.kind, []).append(one)
    dearest = sorted(kinds.items(), key=lambda kind: -sum(one.saved_usd for one in kind[1]))
    summed = tuple(
        (
            _WORDS[kind],
            count(len(of)),
            count(sum(one.calls for one in of)),
            _up_to(sum(one.saved_usd for one in of), of),
        )
        for kind, of in dearest
    )
    rows = tuple(
        (_WORDS[one.kind], one.where, count(one.calls), _up_to(one.saved_usd, [one])) for one in savings[:_MOST]
    )
    where = ("by", "where", ">calls", ">USD")
    parts: list[Part] = [Table("What could have been saved", where, rows)]
    if len(savings) > len(kinds):
        heading = "The dearest places" if len(savings) > _MOST else "Where"
        in_all = Table("What could have been saved", ("by", ">places", ">calls", ">USD"), summed)
        parts = [in_all, Table(heading, where, rows)]
    parts += [f"{_WORDS[kind]}, {of[0].where}: {of[0].advice}" for kind, of in dearest]
    if len(savings) > len(kinds):
        parts.append("This is said of the dearest place of each kind; --json says it of all.")
    return [*parts, "Each is worked out by itself; one call may be in several, so they don't add up."]


def _up_to(amount: Decimal | int, of: Sequence[Saving]) -> str:
    return ("up to " if any(one.at_most for one in of) else "") + usd(Decimal(amount))


def _overall(sums: Sums) -> tuple[tuple[str, str], ...]:
    priced, tokens = sums.priced_calls, sums.priced_tokens
    return (
        ("total", cost_of(sums)),
        ("per priced call", usd(sums.cost_usd / priced) if priced else NOT_KNOWN),
        ("per 1K tokens of these", usd(sums.cost_usd * _THOUSAND / tokens) if tokens else NOT_KNOWN),
        ("saved by the application's cache", usd(sums.saved_cost_usd) if sums.cache_hits else usd(0)),
    )


def _going_on(forecast: Forecast | None) -> list[str]:
    if forecast is None:
        return [f"No forecast: it needs {LEAST_DAYS} whole days with something spent on one of them."]
    if forecast.trend is None:
        trend = "without a trend that can be shown"
    else:
        word = "rising" if forecast.trend.value > 0 else "falling"
        trend = f"{word} by {usd(abs(forecast.trend.value))} each day"
    expected = (
        f"{usd(forecast.month)} expected at its end, {usd(forecast.low)} to {usd(forecast.high)} with 80 % probability"
    )
    went = f"{usd(forecast.per_day)} a day over {forecast.days} whole days (UTC), {trend}"
    return [f"This month: {usd(forecast.so_far)} so far; {expected}.", f"Worked out from {went}."]


def _unpriced(spending: Spending) -> Table:
    rows = tuple(
        (
            one.model or "(no model)",
            one.provider or "",
            count(one.calls),
            count(one.input_tokens),
            count(one.output_tokens),
        )
        for one in spending.unpriced
    )
    return Table("Not priced, and in none of these sums", ("model", "provider", ">calls", ">input", ">output"), rows)


def _how_to_price(spending: Spending) -> str:
    model = next((one.model for one in spending.unpriced if one.model), "MODEL")
    return (
        f'To price it, put this into pyproject.toml: [tool.nbtokens.prices."{model}"] input_per_mtok = 0.30 and '
        "output_per_mtok = 1.20 (USD per million tokens); or say in [tool.nbtokens.hosts] what stands behind a gateway."
    )


def _data(spending: Spending, savings: Sequence[Saving]) -> dict[str, Any]:
    forecast = spending.forecast
    return {
        **_sums(spending.sums),
        "by": {
            by: [{"name": name, **_sums(sums)} for name, sums in groups.items()] for by, groups in spending.by.items()
        },
        "daily": spending.daily,
        "forecast": None
        if forecast is None
        else {
            "month_so_far_usd": forecast.so_far,
            "month_usd": forecast.month,
            "low_usd": forecast.low,
            "high_usd": forecast.high,
            "whole_days": forecast.days,
            "per_day_usd": forecast.per_day,
            "trend_usd_per_day": None if forecast.trend is None else forecast.trend.value,
        },
        "unpriced": [one._asdict() for one in spending.unpriced],
        "savings": [one._asdict() for one in savings],
    }


def _sums(sums: Sums) -> dict[str, Any]:
    priced, tokens = sums.priced_calls, sums.priced_tokens
    return {
        "cost_usd": sums.cost_usd,
        "calls": sums.calls,
        "priced_calls": priced,
        "unpriced_calls": sums.unpriced_calls,
        "total_tokens": sums.total_tokens,
        "cost_usd_per_priced_call": sums.cost_usd / priced if priced else None,
        "cost_usd_per_1k_priced_tokens": sums.cost_usd * _THOUSAND / tokens if tokens else None,
    }
