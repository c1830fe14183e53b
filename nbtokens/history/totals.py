"""Sums over records: by day, provider, model, operation, call type, notebook and user; mergeable."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple, Self, TypeAlias

import msgspec

from nbtokens.history.distribution import Distribution
from nbtokens.record import Record

RECENT: Final = 10

Dimension: TypeAlias = Literal["day", "provider", "model", "operation", "call_type", "notebook", "user", "status"]


class Key(NamedTuple):
    """What a row of totals is for. Days are UTC."""

    day: str
    provider: str | None
    model: str | None
    operation: str | None
    call_type: str | None
    notebook: str | None
    user: str | None
    status: str | None


class Sums(msgspec.Struct):
    """Counts, tokens, USD and seconds of a number of calls.

    `unpriced_calls` are those that used tokens and whose price is not known; their cost is not in `cost_usd`,
    and `priced_calls` and `priced_tokens` leave them out.
    `cache_hits` are answers that an application's cache gave; they are no calls. `saved_tokens` and
    `saved_cost_usd` are what these would have used and cost, as far as that is known. Nor are `runs` calls:
    operations that ran from their beginning to their end; those that needed no model are `runs_without_calls`.
    """

    calls: int = 0
    failed_calls: int = 0
    unpriced_calls: int = 0
    priced_calls: int = 0
    priced_tokens: int = 0
    estimated_calls: int = 0
    incomplete_calls: int = 0
    cache_hits: int = 0
    saved_tokens: int = 0
    saved_cost_usd: Decimal = Decimal(0)
    runs: int = 0
    runs_without_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    reasoning_output_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    duration_s: float = 0.0
    timed_output_tokens: int = 0
    timed_s: float = 0.0
    first_at: datetime | None = None
    last_at: datetime | None = None

    @property
    def total_tokens(self) -> int:
        """Input and output tokens."""
        return self.input_tokens + self.output_tokens

    @property
    def tokens_per_second(self) -> float | None:
        """Output tokens per second of the calls that succeeded and were timed."""
        return self.timed_output_tokens / self.timed_s if self.timed_s else None

    def add(self, record: Record) -> None:
        """Take one more record in."""
        if record.kind == "cache_hit":
            self.cache_hits += 1
            self.saved_tokens += record.total_tokens or 0
            self.saved_cost_usd += record.saved_cost_usd or 0
            return
        if record.kind == "run":
            self.runs += 1
            self.runs_without_calls += not record.calls
            return
        if record.kind != "call":
            return
        self.calls += 1
        self.failed_calls += record.status == "error"
        self.unpriced_calls += is_unpriced(record)
        self._count_priced(record, 1)
        self.estimated_calls += record.usage_source == "estimated"
        self.incomplete_calls += record.complete is False
        self.input_tokens += record.input_tokens or 0
        self.output_tokens += record.output_tokens or 0
        self.cache_read_input_tokens += record.cache_read_input_tokens or 0
        self.cache_creation_input_tokens += record.cache_creation_input_tokens or 0
        self.reasoning_output_tokens += record.reasoning_output_tokens or 0
        self.cost_usd += record.cost_usd or 0
        self.duration_s += record.duration_s or 0.0
        if record.tokens_per_second is not None:
            self.timed_output_tokens += record.output_tokens or 0
            self.timed_s += record.duration_s or 0.0
        self._widen(record.started_at, record.started_at)

    def amend(self, before: Record, after: Record) -> None:
        """A record that was taken in as `before` reads `after` now. Only its price may have changed."""
        self.cost_usd += (after.cost_usd or 0) - (before.cost_usd or 0)
        self.unpriced_calls += is_unpriced(after) - is_unpriced(before)
        self._count_priced(before, -1)
        self._count_priced(after, 1)

    def merge(self, other: Sums) -> None:
        """Take the calls of another one in."""
        for name in _ADDED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self._widen(other.first_at, other.last_at)

    def _count_priced(self, record: Record, sign: int) -> None:
        if record.cost_usd is not None:
            self.priced_calls += sign
            self.priced_tokens += sign * (record.total_tokens or 0)

    def _widen(self, first: datetime | None, last: datetime | None) -> None:
        if first is not None and (self.first_at is None or first < self.first_at):
            self.first_at = first
        if last is not None and (self.last_at is None or last > self.last_at):
            self.last_at = last


_ADDED: Final = tuple(name for name in Sums.__struct_fields__ if name not in ("first_at", "last_at"))


class Measures(msgspec.Struct):
    """The distributions of one model and operation."""

    input_tokens: Distribution = msgspec.field(default_factory=Distribution)
    output_tokens: Distribution = msgspec.field(default_factory=Distribution)
    total_tokens: Distribution = msgspec.field(default_factory=Distribution)
    duration_s: Distribution = msgspec.field(default_factory=Distribution)
    tokens_per_second: Distribution = msgspec.field(default_factory=Distribution)
    cost_usd: Distribution = msgspec.field(default_factory=Distribution)

    def add(self, record: Record) -> None:
        """Take in a call that succeeded; what failed has no say about speed or size."""
        for distribution, value in (
            (self.input_tokens, record.input_tokens),
            (self.output_tokens, record.output_tokens),
            (self.total_tokens, record.total_tokens),
            (self.duration_s, record.duration_s),
            (self.tokens_per_second, record.tokens_per_second),
            (self.cost_usd, record.cost_usd),
        ):
            if value is not None:
                distribution.add(value)

    def merge(self, other: Measures) -> None:
        """Take the values of another one in."""
        for name in MEASURES:
            getattr(self, name).merge(getattr(other, name))


MEASURES: Final = Measures.__struct_fields__


class Totals:
    """Sums and distributions over any number of records, and the latest few of these."""

    def __init__(self) -> None:
        self.rows: dict[Key, Sums] = {}
        self.measures: dict[tuple[str | None, str | None], Measures] = {}
        self.recent: list[Record] = []

    def add(self, record: Record) -> None:
        """Take one more record in. What is no call, no cache hit and no run changes nothing here."""
        if record.kind not in ("call", "cache_hit", "run"):
            return
        key = key_of(record)
        sums = self.rows.get(key)
        if sums is None:
            sums = self.rows[key] = Sums()
        sums.add(record)
        if record.kind != "call":
            return
        if record.status == "ok":
            pair = (key.model, key.operation)
            measures = self.measures.get(pair)
            if measures is None:
                measures = self.measures[pair] = Measures()
            measures.add(record)
        self.recent.append(record)
        del self.recent[:-RECENT]

    def amend(self, before: Record, after: Record) -> None:
        """A record that was counted as `before` reads `after` now. Only its price may have changed."""
        key = key_of(before)
        sums = self.rows.get(key)
        if sums is None:
            return
        sums.amend(before, after)
        if before.cost_usd is None and after.cost_usd is not None and after.status == "ok":
            pair = (key.model, key.operation)
            self.measures.setdefault(pair, Measures()).cost_usd.add(after.cost_usd)
        self.recent = [after if one.id == after.id else one for one in self.recent]

    def __add__(self, other: Totals) -> Totals:
        """The totals of both sets of records."""
        both = Totals()
        for part in (self, other):
            for key, sums in part.rows.items():
                both.rows.setdefault(key, Sums()).merge(sums)
            for pair, measures in part.measures.items():
                both.measures.setdefault(pair, Measures()).merge(measures)
        both.recent = sorted([*self.recent, *other.recent], key=lambda one: one.started_at)[-RECENT:]
        return both

    def sums(self) -> Sums:
        """Everything in one."""
        every = Sums()
        for sums in self.rows.values():
            every.merge(sums)
        return every

    def by(self, dimension: Dimension) -> dict[str | None, Sums]:
        """Sums for each value of a dimension, the dearest first, then those with the most tokens."""
        index = Key._fields.index(dimension)
        groups: dict[str | None, Sums] = {}
        for key, sums in self.rows.items():
            groups.setdefault(key[index], Sums()).merge(sums)
        return dict(sorted(groups.items(), key=lambda one: (-one[1].cost_usd, -one[1].total_tokens, str(one[0]))))

    def stats(self, model: str | None = None, operation: str | None = None) -> dict[str, dict[str, Any]]:
        """For each measure of the calls that succeeded: count, avg, min, max, p50, p95, p99, sum.

        Args:
            model: only calls of this model.
            operation: only calls of this operation.
        """
        every = Measures()
        for (of_model, of_operation), measures in self.measures.items():
            if model in (None, of_model) and operation in (None, of_operation):
                every.merge(measures)
        return {name: getattr(every, name).summary() for name in MEASURES}

    def to_plain(self) -> TotalsData:
        """The same as plain data, for a checkpoint."""
        return TotalsData(list(self.rows.items()), list(self.measures.items()), self.recent)

    @classmethod
    def from_plain(cls, data: TotalsData) -> Self:
        """Read a checkpoint back."""
        totals = cls()
        totals.rows = dict(data.rows)
        totals.measures = dict(data.measures)
        totals.recent = data.recent
        return totals


class TotalsData(msgspec.Struct):
    """`Totals` as a checkpoint keeps them."""

    rows: list[tuple[Key, Sums]]
    measures: list[tuple[tuple[str | None, str | None], Measures]]
    recent: list[Record]


def key_of(record: Record) -> Key:
    """The row of totals that a record belongs to."""
    status = record.status if record.kind == "call" else record.kind
    return Key(
        record.started_at.date().isoformat(),
        record.provider,
        record.model or record.request_model,
        record.operation,
        record.call_type,
        record.notebook,
        record.user,
        status,
    )


def is_unpriced(record: Record) -> bool:
    """Whether a call used tokens and its price is not known. A call that was refused used none."""
    return record.cost_usd is None and (record.status == "ok" or bool(record.input_tokens or record.output_tokens))
