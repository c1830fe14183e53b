"""A row of the ledger: version 1 of the public format that docs/record.md describes."""

from __future__ import annotations

import os
import random
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION: Final = 1

Kind: TypeAlias = Literal["call", "cache_hit", "run", "score", "amend", "rollup", "rewrite"]
Status: TypeAlias = Literal["ok", "error"]

MOST_TOKENS: Final = 2**56
"""No count is greater: 2**53 is the most that is taken from a provider, and some counts are sums of a few."""
MOST_SECONDS: Final = 1e9
MOST_USD: Final = Decimal(10**9)

Whole: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Tokens: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]
Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=MOST_SECONDS)]
Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, repr_omit_defaults=True):
    """One HTTP attempt, or one event that belongs to the ledger. None is "not known" and stays out of the line.

    Times are UTC, durations seconds, money USD. `input_tokens` includes cached tokens and `output_tokens`
    includes reasoning. See docs/record.md for every field.
    """

    v: Whole
    kind: str
    id: str
    ref: str | None = None
    started_at: Moment
    project: str | None = None
    host: str | None = None
    user: str | None = None
    session: str | None = None
    run_id: str | None = None
    notebook: str | None = None
    cell: str | None = None
    execution_count: Whole | None = None
    attribution: str | None = None
    operation: str | None = None
    tags: dict[str, Any] | None = None
    call_type: str | None = None
    api: str | None = None
    provider: str | None = None
    server_address: str | None = None
    request_model: str | None = None
    model: str | None = None
    response_id: str | None = None
    request_id: str | None = None
    service_tier: str | None = None
    max_tokens: Whole | None = None
    finish_reason: str | None = None
    stream: bool | None = None
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    total_tokens: Tokens | None = None
    cache_read_input_tokens: Tokens | None = None
    cache_creation_input_tokens: Tokens | None = None
    reasoning_output_tokens: Tokens | None = None
    usage_source: str | None = None
    complete: bool | None = None
    usage: dict[str, Any] | None = None
    status: str | None = None
    http_status: Whole | None = None
    error: str | None = None
    retry_count: Whole | None = None
    retry_after_s: float | None = None
    duration_s: Seconds | None = None
    time_to_first_chunk_s: Seconds | None = None
    request_hash: str | None = None
    prefix_hash: str | None = None
    input_cost_usd: Decimal | None = None
    output_cost_usd: Decimal | None = None
    other_cost_usd: Decimal | None = None
    cost_usd: Decimal | None = None
    price_source: str | None = None
    saved_cost_usd: Decimal | None = None
    scores: dict[str, float] | None = None
    calls: Whole | None = None
    content: dict[str, str] | None = None
    sums: dict[str, Any] | None = None

    @property
    def tokens_per_second(self) -> float | None:
        """Output tokens per second of the whole call; None where the call failed or either is not known."""
        if self.status != "ok" or not self.output_tokens or not self.duration_s or self.kind != "call":
            return None
        return self.output_tokens / self.duration_s

    @property
    def purpose(self) -> str | None:
        """What the call was for, as everything that is shown names it."""
        return purpose_of(self.operation, self.call_type)


def purpose_of(operation: str | None, call_type: str | None) -> str | None:
    """What calls are for: the user's label, else what kind of calls they are. A label that is a kind's name is it."""
    return operation or call_type or None


FIELDS: Final[tuple[str, ...]] = Record.__struct_fields__

# Seeded by the operating system, and anew in a forked child: ids must differ, they need not be secret, and asking
# the system for every one costs more than all the rest of an id.
_random: Final = random.Random()  # noqa: S311 - see above
_bits: Final = _random.getrandbits
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(Record)
_array_decoder = msgspec.json.Decoder(list[Record])


def encode(record: Record) -> bytes:
    """The record as one line of JSON, without a line break; money in exact decimal digits."""
    return _encoder.encode(record)


def decode(line: bytes | memoryview) -> Record:
    """Read one line back.

    Raises:
        msgspec.MsgspecError: the line is not JSON, or not a record, or a number in it can't be what its name says:
            tokens and seconds are 0 or more, money is an amount, a time has its zone, and nothing is beyond all
            measure.
    """
    record = _decoder.decode(line)
    if record.started_at.tzinfo is not UTC:
        record = _in_utc(record)
    for name in MONEY:
        cost = getattr(record, name)
        if cost is not None and not is_amount(cost):
            raise msgspec.ValidationError(f"Expected an amount of USD, not {cost} - at `$.{name}`")
    return record


def decode_array(array: bytes | bytearray) -> list[Record] | None:
    """Read an array with one record on each line; None where its lines must be read one by one."""
    try:
        records = _array_decoder.decode(array)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    return records if len(records) - 1 == array.count(b"\n") == array.count(b"},\n{") and _are_sound(records) else None


def _are_sound(records: Sequence[Record]) -> bool:
    """Whether records that were decoded by their types alone need none of what `decode` does besides."""
    if set(map(_zone, records)) - {UTC}:
        return False
    amounts = [cost for costs in map(_costs, records) for cost in costs if cost is not None]
    try:
        return not amounts or (min(amounts) >= 0 and max(amounts) <= MOST_USD)
    except InvalidOperation:  # NaN
        return False


_zone: Final = attrgetter("started_at.tzinfo")
MONEY: Final = ("input_cost_usd", "output_cost_usd", "other_cost_usd", "cost_usd", "saved_cost_usd")
_costs: Final = attrgetter(*MONEY)


def _in_utc(record: Record) -> Record:
    try:
        return msgspec.structs.replace(record, started_at=record.started_at.astimezone(UTC))
    except OverflowError as error:
        raise msgspec.ValidationError(f"Expected a time of the calendar ({error}) - at `$.started_at`") from error


def is_amount(cost: Decimal) -> bool:
    """Whether a number can be a cost: finite, 0 or more, and not beyond all measure."""
    return cost.is_finite() and 0 <= cost <= MOST_USD


AMENDABLE: Final = ("input_cost_usd", "output_cost_usd", "other_cost_usd", "cost_usd", "price_source")
"""The fields that an `amend` row may give another value."""


class Amendment(msgspec.Struct, frozen=True, gc=False):
    """What an `amend` row says, and no more: a history whose prices were changed holds as many of them as calls."""

    id: str
    ref: str | None
    input_cost_usd: Decimal | None
    output_cost_usd: Decimal | None
    other_cost_usd: Decimal | None
    cost_usd: Decimal | None
    price_source: str | None

    @classmethod
    def of(cls, row: Record) -> Self:
        """What a row of kind `amend` says."""
        source = row.price_source and sys.intern(row.price_source)
        return cls(
            row.id, row.ref, row.input_cost_usd, row.output_cost_usd, row.other_cost_usd, row.cost_usd, source
        )  # fmt: skip


def folded(record: Record, amendment: Amendment | Record | None) -> Record:
    """The record as an `amend` row that speaks of it leaves it."""
    if amendment is None:
        return record
    return msgspec.structs.replace(record, **{name: getattr(amendment, name) for name in AMENDABLE})


def new_id(at: float | None = None) -> str:
    """A UUIDv7 (RFC 9562): its order is the order in time, and no two kernels make the same one.

    Args:
        at: seconds since the epoch; now by default.
    """
    when = int((time.time() if at is None else at) * 1000)
    return f"{when >> 16:08x}-{when & 0xFFFF:04x}-7{_bits(12):03x}-{_bits(14) | 0x8000:04x}-{_bits(48):012x}"


def utc(seconds: float) -> datetime:
    """Seconds since the epoch as a UTC time."""
    return datetime.fromtimestamp(seconds, UTC)
