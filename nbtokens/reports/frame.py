"""Records as a pandas DataFrame."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, get_args, get_type_hints

import pandas as pd

from nbtokens.record import FIELDS, Record

if TYPE_CHECKING:
    from collections.abc import Iterable

_CATEGORIES: Final = frozenset(
    {
        "kind", "project", "host", "user", "session", "run_id", "notebook", "cell", "attribution", "operation",
        "call_type", "api", "provider", "server_address", "request_model", "model", "service_tier", "finish_reason",
        "usage_source", "status", "error", "price_source",
    }
)  # fmt: skip


def frame_of(records: Iterable[Record]) -> pd.DataFrame:
    """One row a record, one column a field of docs/record.md, and `tokens_per_second`.

    Times are UTC, counts are nullable integers, money is floats (USD), what repeats is categorical; what is
    not known is NA.
    """
    columns: dict[str, list[Any]] = {name: [] for name in (*FIELDS, "tokens_per_second")}
    readers = [(name, values.append) for name, values in columns.items()]
    for record in records:
        for name, take in readers:
            take(getattr(record, name))
    return pd.DataFrame({name: _series(name, values) for name, values in columns.items()})


def _series(name: str, values: list[Any]) -> pd.Series[Any]:
    if name == "started_at":
        return pd.to_datetime(pd.Series(values, dtype="object"), utc=True)
    if name in _CATEGORIES:
        return pd.Series(pd.Categorical(values))
    kind = _KINDS.get(name, float)
    if kind is int:
        return _counts(values)
    if kind is bool:
        return pd.Series(pd.array(values, dtype="boolean"))
    if kind in (float, Decimal):
        return pd.Series([None if value is None else float(value) for value in values], dtype="float64")
    return pd.Series(values, dtype="object")


def _counts(values: list[Any]) -> pd.Series[Any]:
    try:
        return pd.Series(pd.array(values, dtype="Int64"))
    except OverflowError:  # a line that somebody else wrote: beyond 64 bits, and no reason to lose the others
        return pd.Series(values, dtype="object")


def _kind(hint: Any) -> Any:  # noqa: ANN401 - a type hint
    return next((one for one in get_args(hint) if one is not type(None)), hint)


_KINDS: Final = {name: _kind(hint) for name, hint in get_type_hints(Record).items()}
