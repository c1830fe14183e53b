"""What `check` looks at: the calls of each model and operation, gathered block by block."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from heapq import nlargest
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from nbtokens.analysis.gathered import Codes, Gathered, Money, groups
from nbtokens.analysis.validation import CUT_OFF

if TYPE_CHECKING:
    from nbtokens.analysis.gathered import Flags, Floats, Ints
    from nbtokens.history.columns import Columns

NAMED: Final = 5
"""Of so many of the longest calls the ids are kept."""
_MEASURES: Final = {"duration": "duration_s", "tokens": "total_tokens"}
_TOO_MANY_REQUESTS: Final = 429


class Kind(NamedTuple):
    """What like calls share."""

    model: str
    operation: str | None
    call_type: str | None

    @property
    def where(self) -> str:
        """The operation and the model."""
        return f"{self.operation}, {self.model}" if self.operation else self.model


@dataclass(slots=True)
class Failures:
    """What went wrong with the calls of one kind.

    Attributes:
        limited: responses 429.
        waits: seconds that these asked to wait.
    """

    errors: Counter[str] = field(default_factory=Counter)
    cost: Decimal = Decimal(0)
    seconds: float = 0.0
    limited: int = 0
    waits: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of one kind.

    Attributes:
        ok: how many succeeded; `cut` of these were cut off, which cost `cost_of_cut`.
        failed: how many did not.
        speeds: tokens per second of those that succeeded and were timed.
        at: when these began, in microseconds since 1970, UTC.
        sorted: measure -> the durations in seconds, and the total tokens, of those that succeeded, in order.
        longest: measure -> the largest values, with the calls' ids, the largest first.
    """

    ok: int
    failed: int
    cut: int
    cost_of_cut: Decimal
    retries: int
    failures: Failures
    speeds: Floats
    at: Ints
    sorted: dict[str, Floats]
    longest: dict[str, list[tuple[float, str]]]


FIELDS: Final = frozenset({
    "kind", "model", "request_model", "operation", "call_type", "status", "http_status", "error", "finish_reason",
    "max_tokens", "output_tokens", "total_tokens", "duration_s", "retry_count", "retry_after_s", "cost_usd", "sums",
})  # fmt: skip
"""What is looked at."""


class Seen:
    """Looks at the calls of a history.

    Args:
        near_limit: an answer whose output is within this share of `max_tokens` counts as cut off.
    """

    def __init__(self, near_limit: float) -> None:
        self.count = 0
        self.summed: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        """model -> calls that succeeded and that failed, of which only sums are kept."""
        self._near_limit = near_limit
        self._names, self._kinds = Codes(), Codes()
        self._rows = Gathered()
        self._money = Money()
        self._failures: dict[int, Failures] = defaultdict(Failures)
        self._longest: dict[tuple[int, str], list[tuple[float, str]]] = defaultdict(list)

    def look(self, columns: Columns) -> None:
        """Take the next rows in."""
        calls = columns.where("kind", "call".__eq__)
        if len(calls) < len(columns):
            self._look_at_sums(columns.where("kind", "rollup".__eq__))
        count = len(calls)
        if not count:
            return
        self.count += count
        kinds = self._kinds_of(calls)
        numbers = {name: calls.floats(name) for name in ("duration_s", "output_tokens", "total_tokens")}
        ok = _are(calls, "status", {"ok"})
        timed = ok & (numbers["output_tokens"] > 0) & (numbers["duration_s"] > 0)
        speed = np.full(count, np.nan)
        speed[timed] = numbers["output_tokens"][timed] / numbers["duration_s"][timed]
        cut = ok & self._is_cut(calls, numbers["output_tokens"])
        self._rows.add(
            kind=kinds,
            ok=ok,
            cut=cut,
            retried=calls.floats("retry_count") > 0,
            at=calls.times().astype("datetime64[us]").astype(np.int64),
            speed=speed,
            duration=numbers["duration_s"],
            tokens=numbers["total_tokens"],
        )
        self._money.add(calls, "cost_usd", np.arange(count))
        self._look_at_failures(calls, kinds, ok)
        for measure, name in _MEASURES.items():
            self._look_at_longest(calls, kinds, measure, np.where(ok, numbers[name], np.nan))

    def kinds(self) -> dict[Kind, Calls]:
        """The calls of each kind, in the order in which they began."""
        names, of_row = list(self._kinds), self._rows["kind"]
        every = np.arange(len(of_row))
        return {names[of_row[rows[0]]]: self._calls(int(of_row[rows[0]]), rows) for rows in groups(of_row, every)}

    def _kinds_of(self, calls: Columns) -> Ints:
        """The number of each call's kind."""
        codes = self._names.of(calls.tuples("model", "request_model", "operation", "call_type"), len(calls))
        kinds = [self._kinds[Kind(model or asked or "(no model)", *rest)] for model, asked, *rest in self._names]
        return np.array(kinds, np.int64)[codes]

    def _calls(self, kind: int, rows: Ints) -> Calls:
        ok, cut = rows[self._rows["ok"][rows]], rows[self._rows["cut"][rows]]
        speed = self._rows["speed"][rows]
        timed = ~np.isnan(speed)
        values = {measure: self._rows[measure][ok] for measure in _MEASURES}
        return Calls(
            ok=len(ok),
            failed=len(rows) - len(ok),
            cut=len(cut),
            cost_of_cut=self._money.sum(cut),
            retries=int(self._rows["retried"][rows].sum()),
            failures=self._failures[kind],
            speeds=speed[timed],
            at=self._rows["at"][rows][timed],
            sorted={measure: np.sort(of[~np.isnan(of)]) for measure, of in values.items()},
            longest={measure: self._longest[kind, measure] for measure in _MEASURES},
        )

    def _is_cut(self, calls: Columns, output: Floats) -> Flags:
        """Which answers ended because of their ceiling: the provider says so, or they nearly reached it."""
        ceiling = calls.floats("max_tokens")
        reached = (ceiling > 0) & (output > 0) & (output >= (1 - self._near_limit) * ceiling)
        return _are(calls, "finish_reason", CUT_OFF) | (reached & ~_are(calls, "call_type", {"embeddings"}))

    def _look_at_failures(self, calls: Columns, kinds: Ints, ok: Flags) -> None:
        limited = calls.floats("http_status") == _TOO_MANY_REQUESTS
        rows = np.flatnonzero(limited | ~ok).tolist()
        told = list(calls.tuples("error", "retry_after_s", "duration_s")) if rows else []
        costs = calls.values("cost_usd") if rows else []
        for row in rows:
            found = self._failures[int(kinds[row])]
            error, wait, seconds = told[row]
            if limited[row]:
                found.limited += 1
                found.waits += [] if wait is None else [wait]
            if not ok[row]:
                found.errors[error or "error"] += 1
                found.cost += costs[row] or 0
                found.seconds += seconds or 0.0

    def _look_at_longest(self, calls: Columns, kinds: Ints, measure: str, values: Floats) -> None:
        """Keep the ids of the longest: of a block those that may be among them."""
        least = np.zeros(len(self._kinds))
        for (kind, of), longest in self._longest.items():
            if of == measure and len(longest) == NAMED:
                least[kind] = np.nextafter(longest[-1][0], np.inf)
        rows = np.flatnonzero(values >= least[kinds])
        ids = calls.values("id") if len(rows) else []
        for row in rows.tolist():
            longest = self._longest[int(kinds[row]), measure]
            longest[:] = nlargest(NAMED, [*longest, (float(values[row]), ids[row])])

    def _look_at_sums(self, rollups: Columns) -> None:
        """The calls of rows that hold no more than sums; of these it is known whether they failed."""
        for model, asked, sums in rollups.tuples("model", "request_model", "sums"):
            calls, failed = ((sums or {}).get(name, 0) for name in ("calls", "failed_calls"))
            summed = self.summed[model or asked or "(no model)"]
            summed[0] += calls - failed
            summed[1] += failed


def _are(columns: Columns, name: str, values: frozenset[str] | set[str]) -> Flags:
    """For each row, whether a field is one of some values."""
    return np.fromiter(map(values.__contains__, columns.values(name)), np.bool_, len(columns))
