"""Red flags: throttling, cut off answers, outliers, slow models, errors, rate limits."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nbtokens.amounts import seconds, usd
from nbtokens.analysis.regression import fit
from nbtokens.analysis.validation import CUT_OFF

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nbtokens.record import Record
    from nbtokens.thresholds import Thresholds

KINDS: Final = ("throttling", "truncation", "outliers", "slow_model", "errors", "rate_limit", "scores")
_LEAST: Final = 3
_LEAST_FOR_P99: Final = 100
_SIGNIFICANT: Final = 0.01
_TOO_MANY_REQUESTS: Final = 429
_NAMED: Final = 5
_HOUR: Final = 3600


class Flag(NamedTuple):
    """One thing that is wrong.

    Attributes:
        kind: one of `KINDS`.
        where: a model, with an operation where that matters.
        what: what is seen, in words.
        advice: what may help.
        evidence: the figures.
    """

    kind: str
    where: str
    what: str
    advice: str
    evidence: dict[str, Any]


@dataclass(slots=True)
class _Calls:
    """The calls of one model and operation."""

    ok: int = 0
    failed: int = 0
    cut: int = 0
    retries: int = 0
    cost_of_failed: Decimal = Decimal(0)
    time_of_failed: float = 0.0
    cost_of_cut: Decimal = Decimal(0)
    errors: Counter[str] = field(default_factory=Counter)
    limited: int = 0
    waits: list[float] = field(default_factory=list)
    speeds: list[tuple[str, float, float]] = field(default_factory=list)
    durations: list[tuple[float, str]] = field(default_factory=list)
    tokens: list[tuple[float, str]] = field(default_factory=list)

    def add(self, record: Record, near_limit: float) -> None:
        self.retries += bool(record.retry_count)
        if record.http_status == _TOO_MANY_REQUESTS:
            self.limited += 1
            if record.retry_after_s is not None:
                self.waits.append(record.retry_after_s)
        if record.status != "ok":
            self.failed += 1
            self.errors[record.error or "error"] += 1
            self.cost_of_failed += record.cost_usd or 0
            self.time_of_failed += record.duration_s or 0.0
            return
        self.ok += 1
        if is_cut(record, near_limit):
            self.cut += 1
            self.cost_of_cut += record.cost_usd or 0
        at = record.started_at
        if record.tokens_per_second is not None:
            hour = at.hour + at.minute / 60 + at.second / _HOUR
            self.speeds.append((at.date().isoformat(), hour, record.tokens_per_second))
        if record.duration_s is not None:
            self.durations.append((record.duration_s, record.id))
        if record.total_tokens is not None:
            self.tokens.append((float(record.total_tokens), record.id))


def is_cut(record: Record, near_limit: float) -> bool:
    """Whether an answer ended because of its ceiling: the provider says so, or it nearly reached it."""
    if record.finish_reason in CUT_OFF:
        return True
    ceiling, output = record.max_tokens, record.output_tokens
    return bool(ceiling and output and record.call_type != "embeddings" and output >= (1 - near_limit) * ceiling)


def flags_of(records: Iterable[Record], limits: Thresholds) -> tuple[int, list[Flag]]:
    """How many calls there are, and what is wrong with them, in the order of `KINDS`."""
    groups: dict[tuple[str, str | None, str | None], _Calls] = defaultdict(_Calls)
    count = 0
    for record in records:
        if record.kind == "call":
            count += 1
            name = record.model or record.request_model or "(no model)"
            groups[name, record.operation, record.call_type].add(record, limits.near_limit)
    models: dict[str, list[_Calls]] = defaultdict(list)
    for (model, _, _), calls in groups.items():
        models[model].append(calls)
    found = [
        *_throttling(models, limits),
        *(flag for key, calls in groups.items() for flag in _in_a_group(_where(key), calls, limits)),
        *_slow_models(groups, limits),
        *(flag for model, parts in models.items() for flag in _errors(model, parts, limits)),
    ]
    return count, sorted(found, key=lambda flag: (KINDS.index(flag.kind), flag.where))


def percentile(values: Sequence[float], share: float) -> float:
    """The value at position share x (n - 1), rounded down, of sorted values."""
    return values[int(share * (len(values) - 1))]


def _throttling(models: dict[str, list[_Calls]], limits: Thresholds) -> Iterator[Flag]:
    for model, parts in models.items():
        speeds = [speed for calls in parts for speed in calls.speeds]
        if len(speeds) < limits.least_calls:
            continue
        ordered = sorted(speed for _, _, speed in speeds)
        p50, p95 = percentile(ordered, 0.5), percentile(ordered, 0.95)
        evidence: dict[str, Any] = {"calls": len(speeds), "p50": p50, "p95": p95}
        said = []
        if p50 < limits.tokens_per_second:
            said.append(f"the median speed is {p50:.1f} tokens/s, below {limits.tokens_per_second:g}")
        if p50 < limits.median_of_p95 * p95:
            said.append(f"the median speed of {p50:.1f} tokens/s is {100 * p50 / p95:.0f} % of the p95, {p95:.1f}")
        fall = _fall_in_a_day(speeds, limits)
        if fall is not None:
            day, drop, days = fall
            said.append(f"the speed falls through the day, on {day} by {100 * drop:.0f} %")
            evidence |= {"falling_days": days, "worst_day": day, "worst_fall": drop}
        if said:
            what = f"{'; '.join(said)} ({len(speeds):,} calls)."
            advice = "Ask for another tier or region, spread the calls, or send fewer at a time."
            yield Flag("throttling", model, what, advice, evidence)


def _fall_in_a_day(speeds: Iterable[tuple[str, float, float]], limits: Thresholds) -> tuple[str, float, int] | None:
    """The day with the worst fall, its share, and how many days fell; tested against chance for all days at once."""
    days: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for day, hour, speed in speeds:
        days[day].append((hour, speed))
    tested = {day: points for day, points in days.items() if len(points) >= limits.least_calls}
    fallen = []
    for day, points in tested.items():
        hours = [hour for hour, _ in points]
        line = fit([speed for _, speed in points], hours)
        if line is None or line.slopes[0].value >= 0 or line.slopes[0].p >= _SIGNIFICANT / len(tested):
            continue
        start = line.intercept.value + line.slopes[0].value * min(hours)
        drop = -line.slopes[0].value * (max(hours) - min(hours)) / start if start > 0 else 1.0
        if drop >= limits.fall_in_a_day:
            fallen.append((drop, day))
    return None if not fallen else (max(fallen)[1], max(fallen)[0], len(fallen))


def _in_a_group(where: str, calls: _Calls, limits: Thresholds) -> Iterator[Flag]:
    if calls.cut >= _LEAST and calls.cut >= limits.truncated * calls.ok:
        what = f"{calls.cut:,} of {calls.ok:,} answers were cut off at max_tokens ({100 * calls.cut / calls.ok:.0f} %)"
        what += f"; they cost {usd(calls.cost_of_cut)}." if calls.cost_of_cut else "."
        evidence = {"calls": calls.ok, "truncated": calls.cut, "cost_usd": calls.cost_of_cut}
        yield Flag("truncation", where, what, "Raise max_tokens, or ask for shorter answers.", evidence)
    for name, values in (("duration", calls.durations), ("tokens", calls.tokens)):
        if len(values) < max(_LEAST_FOR_P99, limits.least_calls):
            continue
        values.sort()
        only = [value for value, _ in values]
        p50, p99 = percentile(only, 0.5), percentile(only, 0.99)
        out = [(value, record_id) for value, record_id in values if value >= p99 and value > limits.outlier * p50]
        if out:
            write = seconds if name == "duration" else "{:,.0f} tokens".format
            reach = f"{write(out[0][0])} to {write(out[-1][0])}"
            what = f"{len(out):,} calls beyond p99 took {reach}, the median {write(p50)}."
            ids = [record_id for _, record_id in out[::-1]]
            evidence = {"measure": name, "p50": p50, "p99": p99, "calls": len(out), "ids": ids[:_NAMED]}
            yield Flag("outliers", where, what, f"Look at them: {', '.join(ids[:_NAMED])}.", evidence)


def _slow_models(groups: dict[tuple[str, str | None, str | None], _Calls], limits: Thresholds) -> Iterator[Flag]:
    like: dict[tuple[str | None, str | None], dict[str, float]] = defaultdict(dict)
    for (model, operation, call_type), calls in groups.items():
        if len(calls.speeds) >= limits.least_calls:
            ordered = sorted(speed for _, _, speed in calls.speeds)
            like[operation, call_type][model] = percentile(ordered, 0.5)
    for (operation, _), medians in like.items():
        for model, p50 in medians.items():
            others = sorted(speed for name, speed in medians.items() if name != model)
            if others and p50 < limits.slower_than_like * percentile(others, 0.5):
                usual = percentile(others, 0.5)
                what = f"{p50:.1f} tokens/s at the median; models that do the same make {usual:.1f}."
                evidence = {"p50": p50, "others_p50": usual, "others": len(others)}
                where = f"{operation}, {model}" if operation else model
                yield Flag("slow_model", where, what, "Try one of the others where time matters.", evidence)


def _errors(model: str, parts: Sequence[_Calls], limits: Thresholds) -> Iterator[Flag]:
    failed, calls = sum(one.failed for one in parts), sum(one.failed + one.ok for one in parts)
    if failed >= _LEAST and failed >= limits.failed * calls:
        names = sum((one.errors for one in parts), Counter[str]())
        cost, lost = sum((one.cost_of_failed for one in parts), Decimal(0)), sum(one.time_of_failed for one in parts)
        retries = sum(one.retries for one in parts)
        kinds = ", ".join(f"{name} {number:,}" for name, number in names.most_common(_LEAST))
        what = (
            f"{failed:,} of {calls:,} calls failed ({100 * failed / calls:.0f} %: {kinds}), took {seconds(lost)} "
            f"and cost {usd(cost)}; {retries:,} calls were retries."
        )
        evidence = {"calls": calls, "failed": failed, "retries": retries, "errors": dict(names), "seconds": lost}
        advice = "Look at the errors by name; wait longer between retries."
        yield Flag("errors", model, what, advice, {**evidence, "cost_usd": cost})
    limited = sum(one.limited for one in parts)
    if limited:
        waits = sorted(wait for one in parts for wait in one.waits)
        asked = f"; it asked to wait {seconds(sum(waits))} in all, {seconds(waits[-1])} at most" if waits else ""
        what = f"the provider said {limited:,} times that it was asked too often (429){asked}."
        evidence = {"responses": limited, "waits_s": sum(waits), "longest_wait_s": waits[-1] if waits else None}
        yield Flag("rate_limit", model, what, "Send fewer at a time, wait as long as asked, or ask for more.", evidence)


def _where(key: tuple[str, str | None, str | None]) -> str:
    model, operation, _ = key
    return f"{operation}, {model}" if operation else model
