"""Bars: by day, by model, by cell, and what came from caches."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from nbtokens.amounts import count, number_of
from nbtokens.history.totals import Sums
from nbtokens.plots.amount import TOKENS, amount_of
from nbtokens.plots.style import (
    COLOURS,
    INK,
    OTHERS_HATCH,
    add_legend,
    axes_or_new,
    calls_of,
    label_times,
    look,
    say_nothing_yet,
    shortened,
)
from nbtokens.reports.cells import by_cell
from nbtokens.reports.figures import cost_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nbtokens.history.totals import Totals
    from nbtokens.plots.amount import Amount
    from nbtokens.record import Record
    from nbtokens.views import History, Session

MOST_DAYS: Final = 60
_MOST_BARS: Final = 12


def daily(axes: Any = None, *, of: History | Session | None = None) -> Any:  # noqa: ANN401 - matplotlib's Axes
    """The cost of each day (UTC), by model, over the latest 60 days; tokens where nothing cost anything.

    Args:
        axes: where to draw; new ones if left out.
        of: whose calls; the history's if left out.
    """
    axes = axes_or_new(axes)
    totals = calls_of(of).totals
    by_model = {name: sums for name, sums in totals.by("model").items() if sums.calls}
    if not by_model:
        return say_nothing_yet(axes)
    amount = amount_of(by_model.values())
    names = sorted(by_model, key=lambda name: -amount.of(by_model[name]))
    shown: list[str | None] = names if len(names) <= len(COLOURS) + 1 else names[: len(COLOURS)]
    days = _days(totals)
    heights = _by_day_and_model(totals, days, shown, amount)
    below = [0.0] * len(days)
    for number, (label, bars) in enumerate(heights):
        axes.bar(days, bars, bottom=below, width=0.8, label=label, **look(number, heights))
        below = [one + more for one, more in zip(below, bars, strict=True)]
    _label_days(axes, days)
    axes.set_ylabel(amount.label)
    axes.yaxis.set_major_formatter(amount.ticks)
    axes.set_title(f"{amount.word} by day{amount.note}")
    axes.grid(visible=False, axis="x")
    add_legend(axes)
    return axes


def models(axes: Any = None, *, of: History | Session | None = None) -> Any:  # noqa: ANN401 - matplotlib's Axes
    """The cost of each model, the dearest on top; tokens where nothing cost anything.

    Args:
        axes: where to draw; new ones if left out.
        of: whose calls; the history's if left out.
    """
    axes = axes_or_new(axes)
    groups = {name or "(no model)": sums for name, sums in calls_of(of).totals.by("model").items() if sums.calls}
    if not groups:
        return say_nothing_yet(axes)
    amount = amount_of(groups.values())
    chosen = sorted(groups.items(), key=lambda one: -amount.of(one[1]))[:_MOST_BARS]
    bars = axes.barh([shortened(name) for name, _ in chosen], [amount.of(sums) for _, sums in chosen], color=COLOURS[0])
    texts = [f"{_written(sums, amount)}, {number_of(sums.calls, 'call')}" for _, sums in chosen]
    _finish_lying(axes, [(bars, texts)], amount, "by model")
    return axes


def cells(axes: Any = None, *, of: History | Session | None = None) -> Any:  # noqa: ANN401 - matplotlib's Axes
    """The cost of the dearest cells; what running them again has cost is hatched. Tokens where nothing cost anything.

    Args:
        axes: where to draw; new ones if left out.
        of: whose calls; the history's if left out.
    """
    axes = axes_or_new(axes)
    notebooks: dict[str, str] = {}

    def noted(records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            if record.cell is not None:
                notebooks[record.cell] = (record.notebook or "").rpartition("/")[2]
            yield record

    uses = by_cell(noted(calls_of(of).records()), lambda _: True)
    if not uses:
        return say_nothing_yet(axes, "No cell has made calls yet.")
    amount = amount_of(use.sums for use in uses)
    chosen = sorted(uses, key=lambda use: -amount.of(use.sums))[:_MOST_BARS]
    names = [f"{notebooks[use.cell]} [{next(reversed(use.runs)).number or ' '}] {use.cell[:12]}" for use in chosen]
    again = [amount.of(use.again) for use in chosen]
    first = [amount.of(use.sums) - more for use, more in zip(chosen, again, strict=True)]
    places = range(len(chosen))
    axes.barh(places, first, color=COLOURS[0], label="first run")
    texts = [f"{_written(use.sums, amount)}, {number_of(len(use.runs), 'run')}" for use in chosen]
    hatched = axes.barh(
        places, again, left=first, color=COLOURS[1], hatch=OTHERS_HATCH, edgecolor=INK, linewidth=0, label="run again"
    )
    axes.set_yticks(list(places), [shortened(name) for name in names])
    _finish_lying(axes, [(hatched, texts)], amount, "by cell")
    add_legend(axes)
    return axes


def cache(axes: Any = None, *, of: History | Session | None = None) -> Any:  # noqa: ANN401 - matplotlib's Axes
    """The input tokens of each day (UTC), those that providers read from their caches apart.

    Args:
        axes: where to draw; new ones if left out.
        of: whose calls; the history's if left out.
    """
    axes = axes_or_new(axes)
    totals = calls_of(of).totals
    sums = totals.sums()
    if not sums.calls:
        return say_nothing_yet(axes)
    days, groups = _days(totals), totals.by("day")
    by_day = [groups.get(day.isoformat(), Sums()) for day in days]
    cached = [one.cache_read_input_tokens for one in by_day]
    axes.bar(days, cached, width=0.8, color=COLOURS[2], label="read from the provider's cache")
    fresh = [one.input_tokens - one.cache_read_input_tokens for one in by_day]
    axes.bar(
        days, fresh, bottom=cached, width=0.8, color=COLOURS[0], hatch="..", edgecolor=INK, linewidth=0, label="not"
    )
    share = sums.cache_read_input_tokens / sums.input_tokens if sums.input_tokens else 0.0
    hits = f"; {count(sums.cache_hits)} answers from the application's own cache" if sums.cache_hits else ""
    _label_days(axes, days)
    axes.set_ylabel("input tokens")
    axes.yaxis.set_major_formatter(TOKENS)
    axes.set_title(f"{share:.0%} of input tokens from the provider's cache{hits}", fontsize="medium")
    axes.grid(visible=False, axis="x")
    add_legend(axes)
    return axes


def _days(totals: Totals) -> list[date]:
    """Every day from the first to the last with calls, the latest of them."""
    known = [date.fromisoformat(day) for day, sums in totals.by("day").items() if day and sums.calls]
    first, last = min(known), max(known)
    first = max(first, last - timedelta(days=MOST_DAYS - 1))
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _by_day_and_model(
    totals: Totals, days: Sequence[date], shown: Sequence[str | None], amount: Amount
) -> list[tuple[str, list[float]]]:
    places = {day.isoformat(): place for place, day in enumerate(days)}
    heights = {name: [0.0] * len(days) for name in shown}
    others, any_other = [0.0] * len(days), False
    for key, sums in totals.rows.items():
        place = places.get(key.day)
        if place is not None and sums.calls:
            any_other = any_other or key.model not in heights
            heights.get(key.model, others)[place] += amount.of(sums)
    found = [(shortened(name or "(no model)"), bars) for name, bars in heights.items()]
    return [*found, ("others", others)] if any_other else found


def _label_days(axes: Any, days: Sequence[date]) -> None:  # noqa: ANN401 - matplotlib's Axes
    label_times(axes, "day (UTC)", minticks=1, maxticks=8, interval_multiples=False)
    if len(days) == 1:
        axes.set_xticks(days, [days[0].isoformat()])
        axes.set_xlim(days[0] - timedelta(days=2), days[0] + timedelta(days=2))


def _finish_lying(axes: Any, bars: list[tuple[Any, list[str]]], amount: Amount, by: str) -> None:  # noqa: ANN401 - the same
    for container, texts in bars:
        axes.bar_label(container, texts, padding=4, fontsize="small", color=axes.xaxis.label.get_color())
    axes.invert_yaxis()
    axes.margins(x=0.35)
    axes.set_xlabel(amount.label)
    axes.xaxis.set_major_formatter(amount.ticks)
    axes.set_title(f"{amount.word} {by}{amount.note}")
    axes.grid(visible=False, axis="y")


def _written(sums: Sums, amount: Amount) -> str:
    return cost_of(sums) if amount.in_usd else f"{count(sums.total_tokens)} tokens"
