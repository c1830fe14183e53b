"""A row of the ledger: version 1 of the public format that docs/record.md describes."""

from __future__ import annotations

import os
import random
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias

import msgspec

VERSION: Final = 1

Kind: TypeAlias = Literal["call", "cache_hit", "run", "score", "amend", "rollup"]
Status: TypeAlias = Literal["ok", "error"]


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One HTTP attempt, or one event that belongs to the ledger. None is "not known" and stays out of the line.

    Times are UTC, durations seconds, money USD. `input_tokens` includes cached tokens and `output_tokens`
    includes reasoning. See docs/record.md for every field.
    """

    v: int
    kind: str
    id: str
    ref: str | None = None
    started_at: datetime
    project: str | None = None
    host: str | None = None
    user: str | None = None
    session: str | None = None
    run_id: str | None = None
    notebook: str | None = None
    cell: str | None = None
    execution_count: int | None = None
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
    max_tokens: int | None = None
    finish_reason: str | None = None
    stream: bool | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    reasoning_output_tokens: int | None = None
    usage_source: str | None = None
    complete: bool | None = None
    usage: dict[str, Any] | None = None
    status: str | None = None
    http_status: int | None = None
    error: str | None = None
    retry_count: int | None = None
    retry_after_s: float | None = None
    duration_s: float | None = None
    time_to_first_chunk_s: float | None = None
    request_hash: str | None = None
    prefix_hash: str | None = None
    input_cost_usd: Decimal | None = None
    output_cost_usd: Decimal | None = None
    other_cost_usd: Decimal | None = None
    cost_usd: Decimal | None = None
    price_source: str | None = None
    saved_cost_usd: Decimal | None = None
    scores: dict[str, float] | None = None
    calls: int | None = None

    @property
    def tokens_per_second(self) -> float | None:
        """Output tokens per second of the whole call; None where the call failed or either is not known."""
        if self.status != "ok" or not self.output_tokens or not self.duration_s or self.kind != "call":
            return None
        return self.output_tokens / self.duration_s


FIELDS: Final[tuple[str, ...]] = Record.__struct_fields__

# Seeded by the operating system, and anew in a forked child: ids must differ, they need not be secret, and asking
# the system for every one costs more than all the rest of an id.
_random: Final = random.Random()  # noqa: S311 - see above
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)

# A UUID's last 64 bits begin with the bits 10; the 12 bits before them are free, after the version.
_VARIANT: Final = 1 << 63
_NOT_SECOND_BIT: Final = ~(1 << 62)

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(Record)


def encode(record: Record) -> bytes:
    """The record as one line of JSON, without a line break; money in exact decimal digits."""
    return _encoder.encode(record)


def decode(line: bytes | memoryview) -> Record:
    """Read one line back.

    Raises:
        msgspec.MsgspecError: the line is not JSON, or not a record.
    """
    return _decoder.decode(line)


AMENDABLE: Final = ("input_cost_usd", "output_cost_usd", "other_cost_usd", "cost_usd", "price_source")
"""The fields that an `amend` row may give another value."""


def folded(record: Record, amendment: Record | None) -> Record:
    """The record as an `amend` row that speaks of it leaves it."""
    if amendment is None:
        return record
    return msgspec.structs.replace(record, **{name: getattr(amendment, name) for name in AMENDABLE})


def new_id(at: float | None = None) -> str:
    """A UUIDv7 (RFC 9562): its order is the order in time, and no two kernels make the same one.

    Args:
        at: seconds since the epoch; now by default.
    """
    when = f"{int((time.time() if at is None else at) * 1000):012x}"
    chance = f"{_random.getrandbits(76) & _NOT_SECOND_BIT | _VARIANT:020x}"
    return f"{when[:8]}-{when[8:]}-7{chance[1:4]}-{chance[4:8]}-{chance[8:]}"


def utc(seconds: float) -> datetime:
    """Seconds since the epoch as a UTC time."""
    return datetime.fromtimestamp(seconds, UTC)
