"""Red flags: throttling, cut off answers, outliers, slow models, errors, rate limits."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from nbtokens.amounts import seconds, usd
from nbtokens.analysis.flag import KINDS, Flag
from nbtokens.analysis.gathered import groups
from nbtokens.analysis.regression import fit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nbtokens.analysis.gathered import Floats, Ints
    from nbtokens.analysis.seen import Calls, Kind, Seen
    from nbtokens.thresholds import Thresholds

_LEAST: Final = 3
_LEAST_FOR_P99: Final = 100
_SIGNIFICANT: Final = 0.01
_HOUR: Final = 3_600_000_000
_DAY: Final = 24 * _HOUR


def flags_of(seen: Seen, limits: Thresholds) -> list[Flag]:
    """What is wrong with the calls that were seen, in the order of `KINDS`."""
    kinds = seen.kinds()
    models: dict[str, list[Calls]] = {model: [] for model in seen.summed}
    for kind, calls in kinds.items():
        models.setdefault(kind.model, []).append(calls)
    found = [
        *(flag for model, parts in models.items() for flag in _throttling(model, parts, limits)),
        *(flag for kind, calls in kinds.items() for flag in _in_a_group(kind.where, calls, limits)),
        *_slow_models(kinds, limits),
        *(flag for model, parts in models.items() for flag in _errors(model, parts, seen.summed.get(model), limits)),
    ]
    return sorted(found, key=lambda flag: (KINDS.index(flag.kind), flag.where))


def percentile(values: Floats, share: float) -> float:
    """The value at position share x (n - 1), rounded down, of sorted values."""
    return float(values[int(share * (len(values) - 1))])


def _throttling(model: str, parts: Sequence[Calls], limits: Thresholds) -> Iterator[Flag]:
    speeds = np.concatenate([calls.speeds for calls in parts]) if parts else np.zeros(0)
    if len(speeds) < limits.least_calls:
        return
    ordered = np.sort(speeds)
    p50, p95 = percentile(ordered, 0.5), percentile(ordered, 0.95)
    evidence: dict[str, Any] = {"calls": len(speeds), "p50": p50, "p95": p95}
    said = []
    if p50 < limits.tokens_per_second:
        said.append(f"the median speed is {p50:.1f} tokens/s, below {limits.tokens_per_second:g}")
    if p50 < limits.median_of_p95 * p95:
        said.append(f"the median speed of {p50:.1f} tokens/s is {100 * p50 / p95:.0f} % of the p95, {p95:.1f}")
    fall = _fall_in_a_day(speeds, np.concatenate([calls.at for calls in parts]), limits)
    if fall is not None:
        day, drop, days = fall
        said.append(f"the speed falls through the day, on {day} by {100 * drop:.0f} %")
        evidence |= {"falling_days": days, "worst_day": day, "worst_fall": drop}
    if said:
        what = f"{'; '.join(said)} ({len(speeds):,} calls)."
        advice = "Ask for another tier or region, spread the calls, or send fewer at a time."
        yield Flag("throttling", model, what, advice, evidence)


def _fall_in_a_day(speeds: Floats, at: Ints, limits: Thresholds) -> tuple[str, float, int] | None:
    """The day with the worst fall, its share, and how many days fell; tested against chance for all days at once."""
    days = groups(at // _DAY, np.arange(len(at)), limits.least_calls)
    fallen = []
    for rows in days:
        hours = at[rows] % _DAY / _HOUR
        line = fit(speeds[rows], hours)
        if line is None or line.slopes[0].value >= 0 or line.slopes[0].p >= _SIGNIFICANT / len(days):
            continue
        start = line.intercept.value + line.slopes[0].value * float(hours.min())
        drop = -line.slopes[0].value * float(np.ptp(hours)) / start if start > 0 else 1.0
        if drop >= limits.fall_in_a_day:
            fallen.append((drop, str(at[rows[0]].astype("datetime64[us]").astype("datetime64[D]"))))
    return None if not fallen else (max(fallen)[1], max(fallen)[0], len(fallen))


def _in_a_group(where: str, calls: Calls, limits: Thresholds) -> Iterator[Flag]:
    if calls.cut >= _LEAST and calls.cut >= limits.truncated * calls.ok:
        what = f"{calls.cut:,} of {calls.ok:,} answers were cut off at max_tokens ({100 * calls.cut / calls.ok:.0f} %)"
        what += f"; they cost {usd(calls.cost_of_cut)}." if calls.cost_of_cut else "."
        evidence = {"calls": calls.ok, "truncated": calls.cut, "cost_usd": calls.cost_of_cut}
        yield Flag("truncation", where, what, "Raise max_tokens, or ask for shorter answers.", evidence)
    for name, values in calls.sorted.items():
        if len(values) < max(_LEAST_FOR_P99, limits.least_calls):
            continue
        p50, p99 = percentile(values, 0.5), percentile(values, 0.99)
        out = values[(values >= p99) & (values > limits.outlier * p50)]
        if len(out):
            write = seconds if name == "duration" else "{:,.0f} tokens".format
            calls_took = "1 call beyond p99 took" if len(out) == 1 else f"{len(out):,} calls beyond p99 took"
            reach = write(out[0]) if out[0] == out[-1] else f"{write(out[0])} to {write(out[-1])}"
            ids = [record_id for _, record_id in calls.longest[name]][: len(out)]
            evidence = {"measure": name, "p50": p50, "p99": p99, "calls": len(out), "ids": ids}
            what = f"{calls_took} {reach}, the median {write(p50)}."
            yield Flag("outliers", where, what, f"Look at {', '.join(ids)}.", evidence)


def _slow_models(kinds: Mapping[Kind, Calls], limits: Thresholds) -> Iterator[Flag]:
    like: dict[tuple[str | None, str | None], dict[Kind, float]] = defaultdict(dict)
    for kind, calls in kinds.items():
        if len(calls.speeds) >= limits.least_calls:
            like[kind.operation, kind.call_type][kind] = percentile(np.sort(calls.speeds), 0.5)
    for medians in like.values():
        for kind, p50 in medians.items():
            others = np.sort([speed for other, speed in medians.items() if other != kind])
            if len(others) and p50 < limits.slower_than_like * percentile(others, 0.5):
                usual = percentile(others, 0.5)
                what = f"{p50:.1f} tokens/s at the median; models that do the same make {usual:.1f}."
                evidence = {"p50": p50, "others_p50": usual, "others": len(others)}
                yield Flag("slow_model", kind.where, what, "Try one of the others where time matters.", evidence)


def _errors(model: str, parts: Sequence[Calls], summed: Sequence[int] | None, limits: Thresholds) -> Iterator[Flag]:
    ok_before, failed_before = summed or (0, 0)
    failed = sum(one.failed for one in parts) + failed_before
    calls = sum(one.ok for one in parts) + ok_before + failed
    if failed >= _LEAST and failed >= limits.failed * calls:
        names = sum((one.failures.errors for one in parts), Counter[str]())
        cost = sum((one.failures.cost for one in parts), Decimal(0))
        lost = sum(one.failures.seconds for one in parts)
        retries = sum(one.retries for one in parts)
        kinds = ", ".join(f"{name} {number:,}" for name, number in names.most_common(_LEAST))
        what = (
            f"{failed:,} of {calls:,} calls failed ({100 * failed / calls:.0f} %{': ' if kinds else ''}{kinds}), took "
            f"{seconds(lost)} and cost {usd(cost)}; {_retries(retries)}."
        )
        evidence = {"calls": calls, "failed": failed, "retries": retries, "errors": dict(names), "seconds": lost}
        advice = "Look at the errors by name; wait longer between retries."
        yield Flag("errors", model, what, advice, {**evidence, "cost_usd": cost})
    limited = sum(one.failures.limited for one in parts)
    if limited:
        waits = sorted(wait for one in parts for wait in one.failures.waits)
        asked = f"; it asked to wait {seconds(sum(waits))} in all, {seconds(waits[-1])} at most" if waits else ""
        times = "once" if limited == 1 else f"{limited:,} times"
        what = f"the provider said {times} that it was asked too often (429){asked}."
        evidence = {"responses": limited, "waits_s": sum(waits), "longest_wait_s": waits[-1] if waits else None}
        yield Flag("rate_limit", model, what, "Send fewer at a time, wait as long as asked, or ask for more.", evidence)


def _retries(number: int) -> str:
    return "1 call was a retry" if number == 1 else f"{number:,} calls were retries"
