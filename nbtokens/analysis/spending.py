"""What was spent, how that goes on, and what is not priced."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from math import sqrt
from typing import TYPE_CHECKING, Final, NamedTuple

from nbtokens.analysis.regression import fit
from nbtokens.analysis.student import quantile
from nbtokens.history.totals import Sums

if TYPE_CHECKING:
    from nbtokens.analysis.regression import Effect
    from nbtokens.history.totals import Totals

WINDOW_DAYS: Final = 28
LEAST_DAYS: Final = 5
LEVEL: Final = 0.8
_SIGNIFICANT: Final = 0.05


class Unpriced(NamedTuple):
    """A model whose price is not known."""

    model: str | None
    provider: str | None
    calls: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """Where the month's spending goes, in USD.

    Attributes:
        so_far: this month until now.
        month: the whole month, as expected.
        low: the least of the range that holds it with 80 % probability, if days go on to vary as they did.
        high: the most.
        days: how many whole days that is worked out from, those without calls too.
        per_day: what one of them cost on average.
        trend: USD more each day than the day before; None where no trend can be shown (p < 0.05).
    """

    so_far: float
    month: float
    low: float
    high: float
    days: int
    per_day: float
    trend: Effect | None


@dataclass(frozen=True, slots=True)
class Spending:
    """What some calls cost.

    Attributes:
        sums: of all of them.
        by: model, operation, user -> the sums of each, the dearest first.
        daily: day -> USD, in their order; days without calls are left out.
        forecast: None where there are fewer than 5 whole days to go by, or nothing was spent.
        unpriced: those with the most tokens first.
    """

    sums: Sums
    by: dict[str, dict[str | None, Sums]]
    daily: dict[str, Decimal]
    forecast: Forecast | None
    unpriced: tuple[Unpriced, ...]


def spending_of(totals: Totals, today: date) -> Spending:
    """The spending of some totals.

    Args:
        totals: of any calls.
        today: the day that is not over yet, UTC.
    """
    daily: dict[str, Decimal] = {}
    missing: dict[tuple[str | None, str | None], Sums] = {}
    for key, sums in totals.rows.items():
        if sums.calls:
            daily[key.day] = daily.get(key.day, Decimal(0)) + sums.cost_usd
        if sums.unpriced_calls:
            missing.setdefault((key.model, key.provider), Sums()).merge(sums)
    unpriced = [
        Unpriced(model, provider, one.unpriced_calls, one.input_tokens, one.output_tokens)
        for (model, provider), one in missing.items()
    ]
    daily = dict(sorted(daily.items()))
    return Spending(
        totals.sums(),
        {name: totals.by(name) for name in ("model", "operation", "user")},
        daily,
        forecast({date.fromisoformat(day): float(cost) for day, cost in daily.items()}, today),
        tuple(sorted(unpriced, key=lambda one: -(one.input_tokens + one.output_tokens))),
    )


def forecast(daily: dict[date, float], today: date) -> Forecast | None:
    """What this month will cost, from the whole days of the last four weeks.

    Days without calls cost nothing and count. Where the daily cost follows a line (least squares, p < 0.05), it is
    continued, else their average is. The range is the prediction interval of the sum of the days to come.
    """
    first = min(daily, default=today)
    start = max(first, today - timedelta(days=WINDOW_DAYS))
    costs = [daily.get(start + timedelta(days=n), 0.0) for n in range((today - start).days)]
    count = len(costs)
    if count < LEAST_DAYS or not any(costs):
        return None
    line = fit(costs, [float(n) for n in range(count)])
    trend = line.slopes[0] if line is not None and line.slopes[0].p < _SIGNIFICANT else None
    slope = trend.value if trend is not None else 0.0
    mean, middle = sum(costs) / count, (count - 1) / 2
    month_end = (today.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    ahead = [count + n - middle for n in range((month_end - today).days + 1)]  # today is the first of them
    expected = [max(mean + slope * n, 0.0) for n in ahead]
    so_far = sum(cost for day, cost in daily.items() if day.replace(day=1) == today.replace(day=1) and day <= today)
    spent_today = daily.get(today, 0.0)
    rest = max(expected[0] - spent_today, 0.0) + sum(expected[1:])
    free = count - (1 if trend is None else 2)
    variance = sum((cost - mean - slope * (n - middle)) ** 2 for n, cost in enumerate(costs)) / free
    spread = sum((n - middle) ** 2 for n in range(count))
    days = len(ahead)
    error = variance * (days + days**2 / count + (sum(ahead) ** 2 / spread if trend is not None else 0.0))
    reach = quantile((1 + LEVEL) / 2, free) * sqrt(error)
    month = so_far + rest
    return Forecast(so_far, month, max(month - reach, so_far), month + reach, count, mean, trend)
