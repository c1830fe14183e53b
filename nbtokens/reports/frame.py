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
                column.add(lot, name)
            del lot  # before more are read
    for _, column in columns:
        column.close()
    frame = pd.DataFrame({name: column.series() for name, column in columns}, copy=False)
    frame["tokens_per_second"] = _speed(frame)
    return frame


class _Column:
    """A column that grows; texts and whatever is no number, as they are."""

    def __init__(self) -> None:
        self._values: list[Any] = []
        self._unknown = 0

    def add(self, lot: Columns, name: str) -> None:
        """Take some more rows in."""
        if lot.knows(name):
            self.close()
            self._take(lot, name)
        else:
            self._unknown += len(lot)

    def close(self) -> None:
        """Take in that it is not known of some rows: of a great many at once, and most often of all."""
        if self._unknown:
            self._skip(self._unknown)
            self._unknown = 0

    def _take(self, lot: Columns, name: str) -> None:
        self._values += lot.values(name)

    def _skip(self, count: int) -> None:
        self._values += [None] * count

    def series(self) -> pd.Series[Any]:
        """The whole column."""
        return pd.Series(self._values, dtype="object")


class _Array(_Column):
    """A column of numbers."""

    kind: type[np.generic]
    missing: Any

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[NDArray[Any]] = []

    def _skip(self, count: int) -> None:
        self._parts.append(np.full(count, self.missing, self.kind))

    def whole(self) -> NDArray[Any]:
        """All of it, once: the parts make room for the next column."""
        parts, self._parts = self._parts, []
        return _joined(parts, self.kind)


class _Codes(dict[str | None, int]):
    """Numbers names in the order in which they come; None is there already."""

    def __missing__(self, name: str | None) -> int:
        code = self[name] = len(self) - 1
        return code


class _Category(_Array):
    """Names that repeat."""

    kind = np.int32
    missing = -1

    def __init__(self) -> None:
        super().__init__()
        self._codes = _Codes({None: -1})

    def _take(self, lot: Columns, name: str) -> None:
        values, codes = lot.values(name), self._codes
        if values.count(values[0]) == len(values):
            self._parts.append(np.full(len(values), codes[values[0]], np.int32))
        else:
            self._parts.append(np.fromiter(map(codes.__getitem__, values), np.int32, len(values)))

    def series(self) -> pd.Series[Any]:
        names = sorted(name for name in self._codes if name is not None)
        order = np.full(len(names) + 1, -1, np.min_scalar_type(-1 - len(names)))  # the last is for -1
        for number, name in enumerate(names):
            order[self._codes[name]] = number
        codes = order[self.whole()]
        return pd.Series(pd.Categorical.from_codes(codes, categories=pd.Index(names, dtype="object")))


class _Floats(_Array):
    """Seconds, and USD."""

    kind = np.float64
    missing = np.nan

    def _take(self, lot: Columns, name: str) -> None:
        self._parts.append(lot.floats(name))

    def series(self) -> pd.Series[Any]:
        return pd.Series(self.whole())


class _Counts(_Array):
    """Whole numbers, to the last digit."""

    kind: type[np.generic] = np.int64
    missing = 0

    def __init__(self) -> None:
        super().__init__()
        self._missing: list[NDArray[np.bool_]] = []

    def _take(self, lot: Columns, name: str) -> None:
        values = lot.values(name)
        try:
            numbers = np.fromiter(values, self.kind, len(values))
        except TypeError:  # some are None
            self._missing.append(np.array([value is None for value in values], np.bool_))
            numbers = np.array([value or 0 for value in values], self.kind)
        else:
            self._missing.append(np.zeros(len(values), np.bool_))
        self._parts.append(numbers)

    def _skip(self, count: int) -> None:
        super()._skip(count)
        self._missing.append(np.ones(count, np.bool_))

    def series(self) -> pd.Series[Any]:
        return pd.Series(pd.arrays.IntegerArray(self.whole(), self.which_are_missing()))

    def which_are_missing(self) -> NDArray[np.bool_]:
        """Where it is not known."""
        return _joined(self._missing, np.bool_)


class _Flags(_Counts):
    """True, false or not known."""

    kind = np.int8

    def series(self) -> pd.Series[Any]:
        return pd.Series(pd.arrays.BooleanArray(self.whole().astype(np.bool_), self.which_are_missing()))


class _Times(_Array):
    """Moments, UTC."""

    kind = np.datetime64

    def _take(self, lot: Columns, name: str) -> None:  # noqa: ARG002 - there is only one column of times
        self._parts.append(lot.times())

    def series(self) -> pd.Series[Any]:
        return pd.Series(self.whole().astype("datetime64[us]", copy=False)).dt.tz_localize("UTC")


def _joined(parts: list[NDArray[Any]], kind: type[np.generic]) -> NDArray[Any]:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.zeros(0, kind)


def _column(name: str) -> _Column:
    if name in _CATEGORIES:
        return _Category()
    return {datetime: _Times, int: _Counts, bool: _Flags, float: _Floats, Decimal: _Floats}.get(
        _KINDS[name], _Column
    )()  # fmt: skip


def _speed(frame: pd.DataFrame) -> pd.Series[Any]:
    """Output tokens per second, as `Record.tokens_per_second` has it."""
    written, seconds = frame["output_tokens"].astype("float64"), frame["duration_s"]
    timed = (frame["status"] == "ok") & (frame["kind"] == "call") & (written > 0) & (seconds > 0)
    return (written / seconds).where(timed)


def _kind(hint: Any) -> Any:  # noqa: ANN401 - a type hint
    return next((one for one in get_args(hint) if one is not type(None)), hint)


_KINDS: Final = {name: _kind(hint) for name, hint in get_type_hints(Record).items()}
