"""Records as a pandas DataFrame."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, get_args, get_type_hints

import numpy as np
import pandas as pd

from nbtokens.history.columns import columns_of, no_collection
from nbtokens.record import FIELDS, Record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from nbtokens.history.columns import Columns

_CATEGORIES: Final = frozenset(
    {
        "kind", "project", "host", "user", "session", "run_id", "notebook", "cell", "attribution", "operation",
        "call_type", "api", "provider", "server_address", "request_model", "model", "service_tier", "finish_reason",
        "usage_source", "status", "error", "price_source",
    }
)  # fmt: skip
_EXACT: Final = 2**53


def frame_of(records: Iterable[Record]) -> pd.DataFrame:
    """One row a record, one column a field of docs/record.md, and `tokens_per_second`.

    Times are UTC, counts are nullable integers, money is floats (USD), what repeats is categorical; what is
    not known is NA. The records are taken in by the thousand, so that they need not be there all at once.
    """
    return frame_of_columns(columns_of(records))


def frame_of_columns(lots: Iterable[Columns]) -> pd.DataFrame:
    """The same of records that come by columns."""
    columns = [(name, _column(name)) for name in FIELDS]
    with no_collection():
        for lot in lots:
            for name, column in columns:
                column.take(lot, name)
    frame = pd.DataFrame({name: column.series() for name, column in columns})
    frame["tokens_per_second"] = _speed(frame)
    return frame


class _Column:
    """A column that grows; texts and whatever is no number, as they are."""

    def __init__(self) -> None:
        self._values: list[Any] = []

    def take(self, lot: Columns, name: str) -> None:
        """Take some more rows in."""
        self._values.extend(lot.values(name))

    def series(self) -> pd.Series[Any]:
        """The whole column."""
        return pd.Series(self._values, dtype="object")


class _Category(_Column):
    """Names that repeat."""

    def __init__(self) -> None:
        super().__init__()
        self._codes: dict[str | None, int] = {None: -1}
        self._parts: list[NDArray[np.int32]] = []

    def take(self, lot: Columns, name: str) -> None:
        values, codes = lot.values(name), self._codes
        if values.count(values[0]) == len(values):
            code = codes.setdefault(values[0], len(codes) - 1)
            self._parts.append(np.full(len(values), code, np.int32))
            return
        for value in set(values) - codes.keys():
            codes[value] = len(codes) - 1
        self._parts.append(np.fromiter(map(codes.__getitem__, values), np.int32, len(values)))

    def series(self) -> pd.Series[Any]:
        names = sorted(name for name in self._codes if name is not None)
        order = np.full(len(names) + 1, -1, np.int32)  # the last is for -1
        for number, name in enumerate(names):
            order[self._codes[name]] = number
        codes = order[_whole(self._parts, np.int32)]
        return pd.Series(pd.Categorical.from_codes(codes, categories=pd.Index(names, dtype="object")))


class _Floats(_Column):
    """Seconds, and USD."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[NDArray[np.float64]] = []

    def take(self, lot: Columns, name: str) -> None:
        self._parts.append(lot.floats(name))

    def series(self) -> pd.Series[Any]:
        return pd.Series(_whole(self._parts, np.float64))


class _Counts(_Column):
    """Whole numbers, to the last digit."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[NDArray[np.int64]] = []
        self._missing: list[NDArray[np.bool_]] = []

    def take(self, lot: Columns, name: str) -> None:
        floats = lot.floats(name)
        missing = np.isnan(floats)
        self._missing.append(missing)
        if (np.abs(floats) > _EXACT).any():
            self._parts.append(np.array([value or 0 for value in lot.values(name)], np.int64))
        else:
            self._parts.append(np.where(missing, 0.0, floats).astype(np.int64))

    def series(self) -> pd.Series[Any]:
        missing = _whole(self._missing, np.bool_)
        return pd.Series(pd.arrays.IntegerArray(_whole(self._parts, np.int64), missing))


class _Flags(_Counts):
    """True, false or not known."""

    def series(self) -> pd.Series[Any]:
        missing = _whole(self._missing, np.bool_)
        return pd.Series(pd.arrays.BooleanArray(_whole(self._parts, np.int64).astype(np.bool_), missing))


class _Times(_Column):
    """Moments, UTC."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[NDArray[np.datetime64]] = []

    def take(self, lot: Columns, name: str) -> None:  # noqa: ARG002 - there is only one column of times
        self._parts.append(lot.times())

    def series(self) -> pd.Series[Any]:
        return pd.Series(_whole(self._parts, "datetime64[us]")).dt.tz_localize("UTC")


def _column(name: str) -> _Column:
    if name in _CATEGORIES:
        return _Category()
    return {datetime: _Times, int: _Counts, bool: _Flags, float: _Floats, Decimal: _Floats}.get(
        _KINDS[name], _Column
    )()  # fmt: skip


def _whole(parts: list[Any], kind: Any) -> NDArray[Any]:  # noqa: ANN401 - what numpy takes for a type
    return np.concatenate(parts) if parts else np.zeros(0, kind)


def _speed(frame: pd.DataFrame) -> pd.Series[Any]:
    """Output tokens per second, as `Record.tokens_per_second` has it."""
    written, seconds = frame["output_tokens"].astype("float64"), frame["duration_s"]
    timed = (frame["status"] == "ok") & (frame["kind"] == "call") & (written > 0) & (seconds > 0)
    return (written / seconds).where(timed)


def _kind(hint: Any) -> Any:  # noqa: ANN401 - a type hint
    return next((one for one in get_args(hint) if one is not type(None)), hint)


_KINDS: Final = {name: _kind(hint) for name, hint in get_type_hints(Record).items()}
