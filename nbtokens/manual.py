"""Recording calls that were made by other means: `nbtokens.record(model=..., input_tokens=...)`."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, get_args

import msgspec

from nbtokens.call import Usage, UsageSource
from nbtokens.context import Attribution, check_tag, current_place
from nbtokens.order import UNPRICED, Order, Price
from nbtokens.record import FIELDS, Record, is_amount
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbtokens.context import Place

PRICES_WAIT: Final = 10.0
_STATUSES: Final = ("ok", "error")
_CHOICES: Final = {"attribution": get_args(Attribution), "usage_source": get_args(UsageSource)}
_NOT_SETTABLE: Final = frozenset({"v", "kind", "total_tokens", "tags", "saved_cost_usd", "calls", "content", "sums"})
_USAGE_FIELDS: Final = frozenset(Usage.__struct_fields__)


def record(  # noqa: PLR0913 - each is a field of the row that callers know
    *,
    model: str,
    input_tokens: int,
    output_tokens: int = 0,
    provider: str | None = None,
    operation: str | None = None,
    call_type: str = "chat",
    duration_s: float | None = None,
    status: str = "ok",
    cost_usd: Decimal | float | str | None = None,
    started_at: datetime | None = None,
    id: str | None = None,  # noqa: A002 - the row's own name for it
    **fields_and_tags: Any,  # noqa: ANN401 - checked by the record's own types
) -> Record:
    """Record a call that nbtokens could not see. It counts like any other.

    Args:
        model: the model's name.
        input_tokens: tokens that went in, cached ones included.
        output_tokens: tokens that came out, reasoning included.
        provider: whose prices hold ("openai", "anthropic", "ollama", ...); told from the model's name if left out.
        operation: your label; that of the surrounding `nbtokens.operation` by default.
        call_type: OpenTelemetry's operation name ("chat", "embeddings", ...).
        duration_s: seconds.
        status: "ok" or "error".
        cost_usd: what it cost, in USD; worked out from the prices if left out.
        started_at: when it began; a time without a zone is local time. Now by default.
        id: an id of your own; recording one id twice is not prevented here.
        **fields_and_tags: other fields of the row (docs/record.md); any other name becomes a tag.

    Returns:
        The record, as it is in the history.

    Raises:
        TypeError, ValueError: a value can't be what its name says. Nothing is recorded then.
    """
    check_model(model)
    values = {
        "provider": provider,
        "call_type": call_type,
        "duration_s": duration_s,
        "status": status,
        "id": id,
        **fields_and_tags,
    }
    counts = {
        "input_tokens": count("input_tokens", input_tokens),
        "output_tokens": count("output_tokens", output_tokens),
    }
    runtime().meter.wait_for_prices(PRICES_WAIT)  # nobody's call waits here
    return keep(make(model, counts, values, cost_usd=cost_usd, operation=operation, started_at=started_at))


def make(  # noqa: PLR0913 - what a row is made of
    model: str | None,
    counts: Mapping[str, int | None],
    values: Mapping[str, Any],
    *,
    operation: str | None = None,
    cost_usd: Decimal | float | str | None = None,
    started_at: datetime | None = None,
    place: Place | None = None,
) -> Record:
    """The row of a call that was not seen; it is not kept yet.

    Args:
        model: the model's name.
        counts: fields of `Usage`; without any, the row says that no usage is known.
        values: fields of the row, usage among them, and tags under any other name.
        operation: the label; that of the place by default.
        cost_usd: what it cost; worked out if left out.
        started_at: when it began.
        place: where it belongs; where this is called by default.

    Raises:
        TypeError, ValueError: a value can't be what its name says.
    """
    at = _utc(started_at)
    fields = {name: value for name, value in values.items() if name in FIELDS and value is not None}
    given = {name: count(name, value) for name, value in values.items() if name in _USAGE_FIELDS}
    tags = {name: value for name, value in values.items() if name not in FIELDS and name not in _USAGE_FIELDS}
    _check(fields)
    for name, value in tags.items():
        check_tag(name, value)
    usage = Usage(**{**counts, **given})
    duration = fields["duration_s"] = _seconds(fields.get("duration_s"))
    price = _price(model, usage, at, duration, cost_usd, fields)
    row = {
        **_of_place(place or current_place(), operation, tags),
        **_of_usage(usage),
        **_of_price(price),
        "model": model,
        "request_model": model,
        "complete": True,
        "status": "ok",
        **fields,
    }
    try:
        blank = runtime().meter.rows.blank(at, row.pop("id", None))
        return msgspec.convert({**_plain(blank), **_plain(row)}, Record)
    except msgspec.ValidationError as error:
        raise TypeError(f"This can't be recorded: {error}. See docs/record.md for the type of each field.") from error


def keep(made: Record, place: Place | None = None) -> Record:
    """Take a row into the history, and into the figures of everything that it belongs to."""
    runtime().keep(made, (place or current_place()).scopes)
    return made


def check_model(model: Any) -> None:  # noqa: ANN401 - checked here
    """Make sure that a model's name is one.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(model, str) or not model:
        raise TypeError(f"model is {model!r}; it must be the model's name.")


def count(name: str, value: Any) -> int:  # noqa: ANN401 - checked here
    """The value, which must be a count of tokens.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} is {value!r}; it must be a whole number of tokens, 0 or more.")
    return value


def money(name: str, value: Decimal | float | str) -> Decimal:
    """The value as exact USD.

    Raises:
        ValueError: it is no amount of money.
    """
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not is_amount(amount):
        raise ValueError(f"{name} is {value!r}; it must be a number of USD, 0 or more.")
    return amount


def _of_place(place: Place, operation: str | None, tags: dict[str, Any]) -> dict[str, Any]:
    return {
        "notebook": place.notebook,
        "cell": place.cell,
        "execution_count": place.execution_count,
        "attribution": place.attribution,
        "operation": operation or place.operation,
        "tags": {**place.tags, **tags} or None,
    }


def _of_usage(usage: Usage) -> dict[str, Any]:
    total = _total(usage)
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_input_tokens": usage.cache_read_input_tokens,
        "cache_creation_input_tokens": usage.cache_creation_input_tokens,
        "reasoning_output_tokens": usage.reasoning_output_tokens,
        "total_tokens": total,
        "usage_source": "none" if total is None else "reported",
    }


def _of_price(price: Price) -> dict[str, Any]:
    return {
        "input_cost_usd": price.input,
        "output_cost_usd": price.output,
        "other_cost_usd": price.other,
        "cost_usd": price.total,
        "price_source": price.source,
    }


def _price(  # noqa: PLR0913, PLR0917 - what a price depends on
    model: str | None,
    usage: Usage,
    at: datetime,
    duration_s: float | None,
    cost_usd: Decimal | float | str | None,
    fields: dict[str, Any],
) -> Price:
    if cost_usd is not None:
        return Price(total=money("cost_usd", cost_usd), source=fields.get("price_source", "user"))
    if model is None or _total(usage) is None:
        return UNPRICED
    provider, tier, raw = (fields.get(name) for name in ("provider", "service_tier", "usage"))
    return runtime().meter.price(
        Order((model,), usage, at, provider=provider, tier=tier, duration=duration_s, raw_usage=raw)
    )


def _check(fields: dict[str, Any]) -> None:
    if fields.get("status", "ok") not in _STATUSES:
        raise ValueError(f"status is {fields['status']!r}; it must be 'ok' or 'error'.")
    for name, allowed in _CHOICES.items():
        if fields.get(name) not in (None, *allowed):
            raise ValueError(f"{name} is {fields[name]!r}; it must be one of {', '.join(allowed)}.")
    for name in sorted(fields.keys() & _NOT_SETTABLE):
        raise TypeError(f"{name} can't be set: nbtokens works it out. Tags are given as keywords of their own.")


def _total(usage: Usage) -> int | None:
    if usage.input_tokens is None and usage.output_tokens is None:
        return None
    return (usage.input_tokens or 0) + (usage.output_tokens or 0)


def _seconds(value: float | None) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"duration_s is {value!r}; it must be a number of seconds, 0 or more.")
    return float(value)


def _plain(value: Any) -> Any:  # noqa: ANN401 - anything that msgspec takes
    return msgspec.to_builtins(value, builtin_types=(datetime, Decimal))


def _utc(at: datetime | None) -> datetime:
    if at is not None and not isinstance(at, datetime):
        raise TypeError(f"started_at is {at!r}; it must be a datetime.")
    return datetime.now(UTC) if at is None else at.astimezone(UTC)
