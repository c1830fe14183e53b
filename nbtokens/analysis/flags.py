"""Red flags: throttling, cut off answers, outliers, slow models, errors, rate limits."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from nbtokens.amounts import seconds, usd
from nbtokens.analysis.findings import fall_of
from nbtokens.analysis.flag import KINDS, Flag

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nbtokens.analysis.findings import Calls, Day, Findings, Kind, Speeds
    from nbtokens.thresholds import Thresholds

_LEAST: Final = 3
_SIGNIFICANT: Final = 0.01


def flags_of(found: Findings, limits: Thresholds) -> list[Flag]:
    """What is wrong with the calls that were looked at, in the order of `KINDS`."""
    models: dict[str, list[Calls]] = {model: [] for model in found.summed}
    for kind, calls in found.kinds.items():
        models.setdefault(kind.model, []).append(calls)
    flags = [
        *(flag for model, speeds in found.speeds.items() for flag in _throttling(model, speeds, limits)),
        *(flag for kind, calls in found.kinds.items() for flag in _in_a_group(kind.where, calls, limits)),
        *_slow_models(found.kinds, limits),
        *(flag for model, parts in models.items() for flag in _errors(model, parts, found.summed.get(model), limits)),
    ]
    return sorted(flags, key=lambda flag: (KINDS.index(flag.kind), flag.where))


def _throttling(model: str, speeds: Speeds, limits: Thresholds) -> Iterator[Flag]:
    p50, p95 = speeds.p50, speeds.p95
    evidence: dict[str, Any] = {"calls": speeds.calls, "p50": p50, "p95": p95}
    said = []
    if p50 < limits.tokens_per_second:
        said.append(f"the median speed is {p50:.1f} tokens/s, below {limits.tokens_per_second:g}")
    if p50 < limits.median_of_p95 * p95:
        said.append(f"the median speed of {p50:.1f} tokens/s is {100 * p50 / p95:.0f} % of the p95, {p95:.1f}")
    fall = _fall_in_a_day(speeds.days, limits)
    if fall is not None:
        day, drop, days = fall
        said.append(f"the speed falls through the day, on {day} by {100 * drop:.0f} %")
        evidence |= {"falling_days": days, "worst_day": day, "worst_fall": drop}
    if said:
        what = f"{'; '.join(said)} ({speeds.calls:,} calls)."
        advice = "Ask for another tier or region, spread the calls, or send fewer at a time."
        yield Flag("throttling", model, what, advice, evidence)


def _fall_in_a_day(days: Sequence[Day], limits: Thresholds) -> tuple[str, float, int] | None:
    """The day with the worst fall, its share, and how many days fell; tested against chance for all days at once."""
    fallen = []
    for day, line, first, last in days:
        if line is None or line.slopes[0].value >= 0 or line.slopes[0].p >= _SIGNIFICANT / len(days):
            continue
        drop = fall_of(line.intercept.value, line.slopes[0].value, first, last)
        if drop >= limits.fall_in_a_day:
            fallen.append((drop, day))
    return None if not fallen else (max(fallen)[1], max(fallen)[0], len(fallen))


def _in_a_group(where: str, calls: Calls, limits: Thresholds) -> Iterator[Flag]:
    if calls.cut >= _LEAST and calls.cut >= limits.truncated * calls.ok:
        what = f"{calls.cut:,} of {calls.ok:,} answers were cut off at max_tokens ({100 * calls.cut / calls.ok:.0f} %)"
        what += f"; they cost {usd(calls.cost_of_cut)}." if calls.cost_of_cut else "."
        evidence = {"calls": calls.ok, "truncated": calls.cut, "cost_usd": calls.cost_of_cut}
        yield Flag("truncation", where, what, "Raise max_tokens, or ask for shorter answers.", evidence)
    for measure, p50, p99, count, least, most, ids in calls.beyond:
        write = seconds if measure == "duration" else "{:,.0f} tokens".format
        calls_took = "1 call beyond p99 took" if count == 1 else f"{count:,} calls beyond p99 took"
        reach = write(least) if least == most else f"{write(least)} to {write(most)}"
        evidence = {"measure": measure, "p50": p50, "p99": p99, "calls": count, "ids": ids}
        what = f"{calls_took} {reach}, the median {write(p50)}."
        yield Flag("outliers", where, what, f"Look at {', '.join(ids)}.", evidence)


def _slow_models(kinds: Mapping[Kind, Calls], limits: Thresholds) -> Iterator[Flag]:
    like: dict[tuple[str | None, str | None], dict[Kind, float]] = defaultdict(dict)
    for kind, calls in kinds.items():
        if calls.median_speed is not None:
            like[kind.operation, kind.call_type][kind] = calls.median_speed
    for medians in like.values():
        for kind, p50 in medians.items():
            others = sorted(speed for other, speed in medians.items() if other != kind)
            if others and p50 < limits.slower_than_like * others[(len(others) - 1) // 2]:
                usual = others[(len(others) - 1) // 2]
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
        waited = [one.failures.waited for one in parts if one.failures.waited is not None]
        longest = max((one.failures.longest_wait or 0.0 for one in parts), default=0.0)
        asked = f"; it asked to wait {seconds(sum(waited))} in all, {seconds(longest)} at most" if waited else ""
        times = "once" if limited == 1 else f"{limited:,} times"
        what = f"the provider said {times} that it was asked too often (429){asked}."
        evidence = {"responses": limited, "waits_s": sum(waited), "longest_wait_s": longest if waited else None}
        yield Flag("rate_limit", model, what, "Send fewer at a time, wait as long as asked, or ask for more.", evidence)


def _retries(number: int) -> str:
    return "1 call was a retry" if number == 1 else f"{number:,} calls were retries"
