"""How the cost grew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from nbtokens.amounts import count, number_of, usd
from nbtokens.plots.amount import amount_of
from nbtokens.plots.style import COLOURS, axes_or_new, calls_of, label_times, say_nothing_yet

if TYPE_CHECKING:
    from nbtokens.plots.amount import Amount
    from nbtokens.views import History, Session

_BY_CALL_UP_TO: Final = timedelta(days=3)
_MOST_CALLS: Final = 20_000


def cost(axes: Any = None, *, of: History | Session | None = None) -> Any:  # noqa: ANN401 - matplotlib's Axes
    """What all calls together had cost at each time, by call over some days, else by day (UTC).

    Tokens where nothing cost anything.

    Args:
        axes: where to draw; new ones if left out.
        of: whose calls; the history's if left out.
    """
    axes = axes_or_new(axes)
    calls = calls_of(of)
    totals = calls.totals
    sums = totals.sums()
    if not sums.calls or sums.first_at is None or sums.last_at is None:
        return say_nothing_yet(axes)
    amount = amount_of([sums])
    if sums.last_at - sums.first_at <= _BY_CALL_UP_TO and sums.calls <= _MOST_CALLS:
        times, parts = _by_call(calls, amount)
    else:
        by_day = {day: one for day, one in totals.by("day").items() if day and one.calls}
        times = [datetime.fromisoformat(day).replace(tzinfo=UTC) for day in sorted(by_day)]
        parts = [amount.of(by_day[day]) for day in sorted(by_day)]
    grown = list(accumulate(parts))
    axes.step(times, grown, where="post", color=COLOURS[0])
    axes.fill_between(times, grown, step="post", color=COLOURS[0], alpha=0.2, linewidth=0)
    axes.set_ylim(bottom=0)
    label_times(axes, "time (UTC)", minticks=2, maxticks=7)
    axes.yaxis.set_major_formatter(amount.ticks)
    axes.set_ylabel(f"{amount.label}, all together")
    whole = usd(sums.cost_usd) if amount.in_usd else f"{count(sums.total_tokens)} tokens"
    axes.set_title(f"{whole} in {number_of(sums.calls, 'call')}{amount.note}")
    return axes


def _by_call(calls: History | Session, amount: Amount) -> tuple[list[datetime], list[float]]:
    found = [
        (record.started_at, float((record.cost_usd if amount.in_usd else record.total_tokens) or 0))
        for record in calls.records()
        if record.kind == "call"
    ]
    found.sort()
    return [at for at, _ in found], [part for _, part in found]
