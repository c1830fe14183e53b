"""Recording calls that were made by other means: `nbtokens.record(model=..., input_tokens=...)`."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, get_args

import msgspec

from nbtokens.call import Usage, UsageSource
from nbtokens.context import Attribution, check_tag, current_place
from nbtokens.order import Order, Price
from nbtokens.record import FIELDS, Record
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from nbtokens.context import Place

_PRICES_WAIT: Final = 10.0
_STATUSES: Final = ("ok", "error")
_CHOICES: Final = {"attribution": get_args(Attribution), "usage_source": get_args(UsageSource)}
_NOT_SETTABLE: Final = frozenset({"v", "kind", "total_tokens", "tags", "saved_cost_usd", "calls"})
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
    at = _utc(started_at)
    extra = {name: value for name, value in fields_and_tags.items() if name in FIELDS or name in _USAGE_FIELDS}
    tags = {name: value for name, value in fields_and_tags.items() if name not in extra}
    _check(model, status, extra)
    for name, value in tags.items():
        check_tag(name, value)
    read = _count("input_tokens", input_tokens)
    written = _count("output_tokens", output_tokens)
    usage_counts = {name: _count(name, extra[name]) for name in extra if name in _USAGE_FIELDS}
    usage = Usage(**{"input_tokens": read, "output_tokens": written, **usage_counts})
    price = _price(model, usage, provider, at, duration_s, cost_usd, extra)
    place = current_place()
    now = runtime()
    values = {
        **_of_place(place, operation, tags),
        "call_type": call_type,
        "provider": provider,
        "model": model,
        "request_model": model,
        "input_tokens": read,
        "output_tokens": written,
        "total_tokens": read + written,
        "usage_source": "reported",
        "complete": True,
        "status": status,
        "duration_s": _seconds(duration_s),
        "input_cost_usd": price.input,
        "output_cost_usd": price.output,
        "other_cost_usd": price.other,
        "cost_usd": price.total,
        "price_source": price.source,
        **{name: value for name, value in extra.items() if name in FIELDS},
    }
    try:
        made = msgspec.convert({**_plain(now.meter.rows.blank(at, id)), **_plain(values)}, Record)
    except msgspec.ValidationError as error:
        raise TypeError(f"This can't be recorded: {error}. See docs/record.md for the type of each field.") from error
    now.keep(made, place.scopes)
    return made


def _of_place(place: Place, operation: str | None, tags: dict[str, Any]) -> dict[str, Any]:
    return {
        "notebook": place.notebook,
        "cell": place.cell,
        "execution_count": place.execution_count,
        "attribution": place.attribution,
        "operation": operation or place.operation,
        "tags": {**place.tags, **tags} or None,
    }


def _price(  # noqa: PLR0913, PLR0917 - what a price depends on
    model: str,
    usage: Usage,
    provider: str | None,
    at: datetime,
    duration_s: float | None,
    cost_usd: Decimal | float | str | None,
    extra: dict[str, Any],
) -> Price:
    if cost_usd is not None:
        return Price(total=_money(cost_usd), source=extra.pop("price_source", "user"))
    meter = runtime().meter
    meter.wait_for_prices(_PRICES_WAIT)  # nobody's call waits here
    return meter.price(
        Order((model,), usage, at, provider=provider, tier=extra.get("service_tier"), duration=duration_s)
    )


def _check(model: str, status: str, extra: dict[str, Any]) -> None:
    if not isinstance(model, str) or not model:
        raise TypeError(f"model is {model!r}; it must be the model's name.")
    if status not in _STATUSES:
        raise ValueError(f"status is {status!r}; it must be 'ok' or 'error'.")
    for name, allowed in _CHOICES.items():
        if extra.get(name) not in (None, *allowed):
            raise ValueError(f"{name} is {extra[name]!r}; it must be one of {', '.join(allowed)}.")
    for name in sorted(extra.keys() & _NOT_SETTABLE):
        raise TypeError(f"{name} can't be set: nbtokens works it out. Tags are given as keywords of their own.")


def _count(name: str, value: Any) -> int:  # noqa: ANN401 - checked here
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} is {value!r}; it must be a whole number of tokens, 0 or more.")
    return value


def _seconds(value: float | None) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"duration_s is {value!r}; it must be a number of seconds, 0 or more.")
    return float(value)


def _money(value: Decimal | float | str) -> Decimal:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"cost_usd is {value!r}; it must be a number of USD, 0 or more.")
    return amount


def _plain(value: Any) -> Any:  # noqa: ANN401 - anything that msgspec takes
    return msgspec.to_builtins(value, builtin_types=(datetime, Decimal))


def _utc(at: datetime | None) -> datetime:
    if at is not None and not isinstance(at, datetime):
        raise TypeError(f"started_at is {at!r}; it must be a datetime.")
    return datetime.now(UTC) if at is None else at.astimezone(UTC)
