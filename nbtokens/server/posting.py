"""Records that programs in other languages post: read, made sure of, priced, and kept once for each id."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

import msgspec

from nbtokens.call import Usage
from nbtokens.order import UNPRICED, Order, Price
from nbtokens.record import VERSION, Record
from nbtokens.server.asking import LONGEST_NAME, NAME_PATTERN, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_RECORDS: Final = 1000
MOST_BYTES: Final = 5_000_000

Id: TypeAlias = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9._:-]{1,128}$")]
Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME, pattern=NAME_PATTERN)]
Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=2000)]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Dollars: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Status: TypeAlias = Annotated[int, msgspec.Meta(ge=100, le=599)]
Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
Tag: TypeAlias = str | float | bool | list[str]


class Posted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One call. The fields are the record's own; `id` is yours, and what is posted again under it is not counted.

    `input_tokens` includes cached tokens, `output_tokens` reasoning. `cost_usd` is worked out where it is left out.
    """

    id: Id
    model: Name
    started_at: Moment
    input_tokens: Count
    output_tokens: Count = 0
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    reasoning_output_tokens: Count | None = None
    provider: Name | None = None
    operation: Name | None = None
    call_type: Name = "chat"
    status: Literal["ok", "error"] = "ok"
    http_status: Status | None = None
    error: Text | None = None
    finish_reason: Name | None = None
    duration_s: Seconds | None = None
    time_to_first_chunk_s: Seconds | None = None
    cost_usd: Dollars | None = None
    project: Name | None = None
    host: Name | None = None
    user: Name | None = None
    session: Name | None = None
    run_id: Name | None = None
    notebook: Name | None = None
    cell: Name | None = None
    tags: Annotated[dict[Name, Tag], msgspec.Meta(max_length=50)] | None = None


class Batch(msgspec.Struct, forbid_unknown_fields=True):
    """What is posted to `/records`: all of it is kept, or nothing is."""

    records: Annotated[list[Posted], msgspec.Meta(min_length=1, max_length=MOST_RECORDS)]


def read_batch(body: bytes, content_type: str) -> list[Posted]:
    """The records of a body.

    Raises:
        RefusedError: it is too long, not JSON, or not what `Batch` says.
    """
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise RefusedError(415, "Post application/json.")
    if len(body) > MOST_BYTES:
        raise RefusedError(413, f"The body has more than {MOST_BYTES:,} bytes; send several batches.")
    try:
        return msgspec.convert(_with_whole_numbers(msgspec.json.decode(body)), Batch).records
    except msgspec.ValidationError as error:
        raise RefusedError(422, f"Nothing was recorded: {error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(400, f"The body is not JSON: {error}.") from error


def _with_whole_numbers(body: Any) -> Any:  # noqa: ANN401 - any JSON
    """The body with 100.0 as 100, which JSON holds for the same number."""
    records = body.get("records") if isinstance(body, dict) else None
    for record in records if isinstance(records, list) else ():
        if isinstance(record, dict):
            record |= {
                name: int(value) for name, value in record.items() if isinstance(value, float) and value.is_integer()
            }
    return body


def to_record(posted: Posted, user: str | None, price: Callable[[Order], Price]) -> Record:
    """The row of the ledger.

    Args:
        posted: what was posted.
        user: whose call it is where `posted` does not say.
        price: what a call costs.
    """
    fields: dict[str, Any] = msgspec.structs.asdict(posted)
    usage = Usage(**{name: value for name, value in fields.items() if name in _USAGE and value is not None})
    cost = _price(posted, usage, price)
    fields |= {
        "v": VERSION,
        "kind": "call",
        "user": posted.user or user,
        "request_model": posted.model,
        "total_tokens": posted.input_tokens + posted.output_tokens,
        "usage_source": "reported",
        "complete": True,
        "input_cost_usd": cost.input,
        "output_cost_usd": cost.output,
        "other_cost_usd": cost.other,
        "cost_usd": cost.total,
        "price_source": cost.source,
        "started_at": _utc(posted.started_at),
    }
    return Record(**fields)


_USAGE: Final = frozenset(Usage.__struct_fields__)


def _price(posted: Posted, usage: Usage, price: Callable[[Order], Price]) -> Price:
    if posted.cost_usd is not None:
        return Price(total=Decimal(str(posted.cost_usd)), source="user")
    cached = (posted.cache_read_input_tokens or 0) + (posted.cache_creation_input_tokens or 0)
    if cached > posted.input_tokens or (posted.reasoning_output_tokens or 0) > posted.output_tokens:
        return UNPRICED  # the counts contradict each other
    return price(
        Order((posted.model,), usage, _utc(posted.started_at), provider=posted.provider, duration=posted.duration_s)
    )


def _utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise RefusedError(400, f"Nothing was recorded: started_at {at} is no time of the calendar.") from error
