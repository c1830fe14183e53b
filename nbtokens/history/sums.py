"""What is added up of some calls: counts, tokens, money and seconds; and how their measures are spread."""

from __future__ import annotations

from copy import copy
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Self, TypeAlias

import msgspec

from nbtokens.history.distribution import Distribution
from nbtokens.record import purpose_of

if TYPE_CHECKING:
    from nbtokens.record import Record

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

    @property
    def purpose(self) -> str | None:
        """What the calls are for: the operation that the user named, else their type."""
        return purpose_of(self.operation, self.call_type)

    def name_in(self, dimension: str) -> str | None:
        """The group of a dimension that the calls belong to; an operation is what they are for."""
        name: str | None = self.purpose if dimension == "operation" else getattr(self, dimension)
        return name


class Sums(msgspec.Struct, array_like=True):
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
        self.calls += other.calls
        self.failed_calls += other.failed_calls
        self.unpriced_calls += other.unpriced_calls
        self.priced_calls += other.priced_calls
        self.priced_tokens += other.priced_tokens
        self.estimated_calls += other.estimated_calls
        self.incomplete_calls += other.incomplete_calls
        self.cache_hits += other.cache_hits
        self.saved_tokens += other.saved_tokens
        self.saved_cost_usd += other.saved_cost_usd
        self.runs += other.runs
        self.runs_without_calls += other.runs_without_calls
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.cache_read_input_tokens += other.cache_read_input_tokens
        self.cache_creation_input_tokens += other.cache_creation_input_tokens
        self.reasoning_output_tokens += other.reasoning_output_tokens
        self.cost_usd += other.cost_usd
        self.duration_s += other.duration_s
        self.timed_output_tokens += other.timed_output_tokens
        self.timed_s += other.timed_s
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


class Measures(msgspec.Struct, array_like=True):
    """The distributions of one model and operation.

    That of output tokens is over the calls that wrote any: an embedding has no answer that could be short.
    """

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
            (self.output_tokens, record.output_tokens or None),
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

    def copied(self) -> Self:
        """The same, to be changed on its own."""
        return type(self)(*(getattr(self, name).copied() for name in MEASURES))


MEASURES: Final = Measures.__struct_fields__


class _SumsByName(Sums, array_like=False, omit_defaults=True):
    """`Sums` as a rollup row holds them: an object with a name for each figure, and the distributions."""

    measures: dict[str, Distribution] = msgspec.field(default_factory=dict)


# The fields of a row that hold a sum on a rollup row; the other figures are in its `sums`.
_IN_COLUMNS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "reasoning_output_tokens",
    "duration_s",
)
_NOT_IN_SUMS: Final = (*_IN_COLUMNS, "cost_usd", "saved_cost_usd")


def rollup_fields(key: Key, sums: Sums, measures: Measures) -> dict[str, Any]:
    """The fields of the rollup row that stands for the calls of one key."""
    named = _SumsByName(*(getattr(sums, name) for name in Sums.__struct_fields__))
    spread = {name: getattr(measures, name) for name in MEASURES}
    named.measures = {name: one for name, one in spread.items() if one.count}
    plain = msgspec.to_builtins(named, str_keys=True)
    fields = {name: getattr(sums, name) or None for name in _IN_COLUMNS}
    return {
        **fields,
        "total_tokens": sums.total_tokens or None,
        "cost_usd": sums.cost_usd if sums.priced_calls else None,
        "saved_cost_usd": sums.saved_cost_usd or None,
        "provider": key.provider,
        "model": key.model,
        "operation": key.operation,
        "call_type": key.call_type,
        "notebook": key.notebook,
        "user": key.user,
        "status": key.status,
        "sums": {name: value for name, value in plain.items() if name not in _NOT_IN_SUMS},
    }


def of_rollup(record: Record) -> tuple[Sums, Measures]:
    """What a rollup row stands for.

    Raises:
        msgspec.ValidationError: its `sums` are no sums.
    """
    named = msgspec.convert(record.sums or {}, _SumsByName, strict=False)
    sums = Sums(*(getattr(named, name) for name in Sums.__struct_fields__))
    for name in _IN_COLUMNS:
        setattr(sums, name, getattr(record, name) or 0)
    sums.cost_usd = record.cost_usd or Decimal(0)
    sums.saved_cost_usd = record.saved_cost_usd or Decimal(0)
    measures = Measures(**{name: named.measures[name] for name in MEASURES if name in named.measures})
    return sums, measures


def key_of(record: Record) -> Key:
    """The row of totals that a record belongs to."""
    status = record.status if record.kind in ("call", "rollup") else record.kind
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


def copied(sums: Sums) -> Sums:
    """The same, to be changed on its own."""
    return copy(sums)
