"""What `check` looks at: the calls of each model and operation, gathered block by block."""

from __future__ import annotations

from collections import defaultdict
from heapq import nlargest
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from nbtokens.analysis.findings import (
    LEAST_FOR_P99,
    MEASURES,
    NAMED,
    NO_MODEL,
    TOO_MANY_REQUESTS,
    Beyond,
    Calls,
    Day,
    Failures,
    Findings,
    Kind,
    Speeds,
)
from nbtokens.analysis.gathered import Codes, Gathered, Money, groups
from nbtokens.analysis.regression import fit
from nbtokens.analysis.validation import CUT_OFF

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from nbtokens.analysis.gathered import Flags, Floats, Ints
    from nbtokens.history.columns import Columns
    from nbtokens.thresholds import Thresholds

_HOUR: Final = 3_600_000_000
_DAY: Final = 24 * _HOUR

_NAMES: Final = ("model", "request_model", "operation", "call_type", "status", "finish_reason", "http_status")
FIELDS: Final = frozenset({
    *_NAMES, "kind", "error", "max_tokens", "output_tokens", "total_tokens", "duration_s", "retry_count",
    "retry_after_s", "cost_usd", "sums",
})  # fmt: skip
"""What is looked at."""


class Seen:
    """Looks at the calls of a history.

    Args:
        limits: from where on something is a red flag.
    """

    def __init__(self, limits: Thresholds) -> None:
        self._count = 0
        self._summed: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
        self._limits = limits
        self._names, self._kinds = Codes(), Codes()
        self._said: dict[str, NDArray[Any]] = {}
        self._rows = Gathered()
        self._money = Money()
        self._failures: dict[int, Failures] = defaultdict(Failures)
        self._longest: dict[tuple[int, str], list[tuple[float, str]]] = defaultdict(list)
        self._least: dict[str, Floats] = {}

    def look(self, columns: Columns) -> None:
        """Take the next rows in."""
        calls = columns.where("kind", "call".__eq__)
        if len(calls) < len(columns):
            self._look_at_sums(columns.where("kind", "rollup".__eq__))
        count = len(calls)
        if not count:
            return
        self._count += count
        said = self._what_names_say(calls)
        kinds, ok = said["kind"], said["ok"]
        numbers = {name: calls.floats(name) for name in ("duration_s", "output_tokens", "total_tokens")}
        output, seconds = numbers["output_tokens"], numbers["duration_s"]
        timed = ok & (output > 0) & (seconds > 0)
        ceiling = calls.floats("max_tokens")
        reached = (ceiling > 0) & (output > 0) & (output >= (1 - self._limits.near_limit) * ceiling)
        self._rows.add(
            kind=kinds,
            ok=ok,
            cut=ok & (said["cut"] | (reached & said["answers"])),
            retried=calls.floats("retry_count") > 0,
            at=calls.times().astype("datetime64[us]").astype(np.int64),
            speed=np.divide(output, seconds, out=np.full(count, np.nan), where=timed),
            duration=seconds,
            tokens=numbers["total_tokens"],
        )
        self._money.add(calls, "cost_usd", np.arange(count))
        self._look_at_failures(calls, kinds, ok, said["limited"])
        for measure, name in MEASURES.items():
            self._look_at_longest(calls, kinds, measure, np.where(ok, numbers[name], np.nan))

    def findings(self) -> Findings:
        """The figures of what was seen."""
        names, of_row = list(self._kinds), self._rows["kind"]
        found = {names[of_row[rows[0]]]: rows for rows in groups(of_row, np.arange(len(of_row)))}
        models: dict[str, list[Ints]] = defaultdict(list)
        for kind, rows in found.items():
            models[kind.model].append(rows)
        speeds = {model: self._speeds(np.concatenate(parts)) for model, parts in models.items()}
        return Findings(
            self._count,
            {kind: self._calls(int(of_row[rows[0]]), rows) for kind, rows in found.items()},
            {model: of_model for model, of_model in speeds.items() if of_model is not None},
            dict(self._summed),
        )

    def _what_names_say(self, calls: Columns) -> dict[str, NDArray[Any]]:
        """Of each call the number of its kind, whether it succeeded, was cut off, was one too many, is an answer."""
        known = len(self._names)
        codes = self._names.of(calls.tuples(*_NAMES), len(calls))
        if len(self._names) > known:
            names = [dict(zip(_NAMES, name, strict=True)) for name in self._names]
            kinds = (
                Kind(one["model"] or one["request_model"] or NO_MODEL, one["operation"], one["call_type"])
                for one in names
            )
            self._said = {
                "kind": np.array([self._kinds[kind] for kind in kinds]),
                "ok": np.array([one["status"] == "ok" for one in names]),
                "cut": np.array([one["finish_reason"] in CUT_OFF for one in names]),
                "limited": np.array([one["http_status"] == TOO_MANY_REQUESTS for one in names]),
                "answers": np.array([one["call_type"] != "embeddings" for one in names]),
            }
        return {name: of_name[codes] for name, of_name in self._said.items()}

    def _calls(self, kind: int, rows: Ints) -> Calls:
        ok, cut = rows[self._rows["ok"][rows]], rows[self._rows["cut"][rows]]
        speed = self._rows["speed"][rows]
        speed = np.sort(speed[~np.isnan(speed)])
        return Calls(
            ok=len(ok),
            failed=len(rows) - len(ok),
            cut=len(cut),
            cost_of_cut=self._money.sum(cut),
            retries=int(self._rows["retried"][rows].sum()),
            failures=self._failures[kind],
            median_speed=_percentile(speed, 0.5) if len(speed) >= self._limits.least_calls else None,
            beyond=[one for measure in MEASURES for one in self._beyond(kind, measure, ok)],
        )

    def _beyond(self, kind: int, measure: str, rows: Ints) -> Iterator[Beyond]:
        values = self._rows[measure][rows]
        values = np.sort(values[~np.isnan(values)])
        if len(values) < max(LEAST_FOR_P99, self._limits.least_calls):
            return
        p50, p99 = _percentile(values, 0.5), _percentile(values, 0.99)
        out = values[(values >= p99) & (values > self._limits.outlier * p50)]
        if len(out):
            ids = [record_id for _, record_id in self._longest[kind, measure]][: len(out)]
            yield Beyond(measure, p50, p99, len(out), float(out[0]), float(out[-1]), ids)

    def _speeds(self, rows: Ints) -> Speeds | None:
        """Of a model's calls, where enough of them were timed."""
        rows = rows[~np.isnan(self._rows["speed"][rows])]
        if len(rows) < max(self._limits.least_calls, 1):
            return None
        speeds, at = self._rows["speed"][rows], self._rows["at"][rows]
        ordered = np.sort(speeds)
        days = []
        for lot in groups(at // _DAY, np.arange(len(at)), self._limits.least_calls):
            hours = at[lot] % _DAY / _HOUR
            day = str(at[lot[0]].astype("datetime64[us]").astype("datetime64[D]"))
            days.append(Day(day, fit(speeds[lot], hours), float(hours.min()), float(hours.max())))
        return Speeds(len(rows), _percentile(ordered, 0.5), _percentile(ordered, 0.95), days)

    def _look_at_failures(self, calls: Columns, kinds: Ints, ok: Flags, limited: Flags) -> None:
        rows = np.flatnonzero(limited | ~ok).tolist()
        if not rows:
            return
        failures = calls.only(rows)
        told = failures.tuples("error", "retry_after_s", "duration_s")
        for row, (error, wait, seconds), cost in zip(rows, told, failures.values("cost_usd"), strict=True):
            found = self._failures[int(kinds[row])]
            if limited[row]:
                found.limited += 1
                if wait is not None:
                    found.waited = (found.waited or 0.0) + wait
                    found.longest_wait = max(found.longest_wait or 0.0, wait)
            if not ok[row]:
                found.errors[error or "error"] += 1
                found.cost += cost or 0
                found.seconds += seconds or 0.0

    def _look_at_longest(self, calls: Columns, kinds: Ints, measure: str, values: Floats) -> None:
        """Keep the ids of the longest: of a block those that may be among them."""
        least = self._least.get(measure, np.zeros(0))
        least = self._least[measure] = np.append(least, np.zeros(len(self._kinds) - len(least)))
        rows = np.flatnonzero(values >= least[kinds])
        ids = calls.values("id") if len(rows) else []
        for row in rows.tolist():
            kind = int(kinds[row])
            longest = self._longest[kind, measure]
            longest[:] = nlargest(NAMED, [*longest, (float(values[row]), ids[row])], itemgetter(0))
            if len(longest) == NAMED:
                least[kind] = np.nextafter(longest[-1][0], np.inf)

    def _look_at_sums(self, rollups: Columns) -> None:
        """The calls of rows that hold no more than sums; of these it is known whether they failed."""
        for model, asked, sums in rollups.tuples("model", "request_model", "sums"):
            calls, failed = ((sums or {}).get(name, 0) for name in ("calls", "failed_calls"))
            name = model or asked or NO_MODEL
            ok_before, failed_before = self._summed[name]
            self._summed[name] = ok_before + calls - failed, failed_before + failed


def _percentile(values: Floats, share: float) -> float:
    """The value at position share x (n - 1), rounded down, of sorted values."""
    return float(values[int(share * (len(values) - 1))])
