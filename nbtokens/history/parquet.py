"""Rows as Parquet files, which DuckDB, Dask, Spark and pandas open as they are. Needs pyarrow."""

from __future__ import annotations

import os
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, get_args, get_type_hints

import msgspec

from nbtokens.decimals import exactly
from nbtokens.errors import HistoryError
from nbtokens.history.checkpoint import sync_folder
from nbtokens.record import FIELDS, Record

try:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
except ImportError as error:
    raise HistoryError("Parquet files need pyarrow, which is not installed: pip install 'nbtokens[archive]'") from error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

EXTRA: Final = "extra"
"""The column for what the others can't hold, as JSON: keys of newer versions, money beyond 18 decimals."""
_BATCH: Final = 20_000
_DECIMALS: Final = 18
_DIGITS: Final = 38


def _kind(hint: Any) -> Any:  # noqa: ANN401 - a type hint
    return next((one for one in get_args(hint) if one is not type(None)), hint)


_KINDS: Final[dict[str, Any]] = {name: _kind(hint) for name, hint in get_type_hints(Record).items()}
_TYPES: Final = {
    str: pa.string(),
    int: pa.int64(),
    bool: pa.bool_(),
    float: pa.float64(),
    datetime: pa.timestamp("us", tz="UTC"),
    Decimal: pa.decimal128(_DIGITS, _DECIMALS),
}
_MONEY: Final = tuple(name for name in FIELDS if _KINDS[name] is Decimal)
_OBJECTS: Final = tuple(name for name in FIELDS if _KINDS[name] not in _TYPES)
SCHEMA: Final = pa.schema([*((name, _TYPES.get(_KINDS[name], pa.string())) for name in FIELDS), (EXTRA, pa.string())])

Row = tuple[Record, dict[str, Any]]
"""A record, and the keys of its line that this version does not know."""


class Writer:
    """Writes rows to a file. They are there when it is closed.

    Args:
        path: the file; one of the same name is replaced.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._temporary = path.with_name(f".{path.name}.new")
        self._file = pq.ParquetWriter(self._temporary, SCHEMA, compression="zstd")
        self._temporary.chmod(0o600)
        self._rows: list[Row] = []

    def add(self, record: Record, unknown: dict[str, Any] | None = None) -> None:
        """Write one more."""
        self._rows.append((record, unknown or {}))
        if len(self._rows) >= _BATCH:
            self._write()

    def close(self) -> None:
        """Finish the file, bring it to the disk, and give it its name."""
        self._write()
        self._file.close()
        with self._temporary.open("rb+") as file:
            os.fsync(file.fileno())
        self._temporary.replace(self._path)
        for folder in (self._path.parent, self._path.parent.parent):  # the month's and the year's may be new
            sync_folder(folder)

    def abandon(self) -> None:
        """Leave no file behind."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def _write(self) -> None:
        if self._rows:
            self._file.write_table(_table(self._rows))
            self._rows = []


def read(path: Path, kinds: Iterable[str] | None = None, ids: Iterable[str] | None = None) -> Iterator[Row]:
    """The rows of a file.

    Args:
        path: the file.
        kinds: only rows of these kinds.
        ids: only rows of these ids.

    Raises:
        HistoryError: it can't be read.
    """
    try:
        file = pq.ParquetFile(path)
        for batch in file.iter_batches(_BATCH):
            table = pa.table(batch)
            for name, values in (("kind", kinds), ("id", ids)):
                if values is not None:
                    table = table.filter(pc.is_in(table[name], pa.array(list(values), pa.string())))
            for row in table.to_pylist():
                yield _row(row)
    except (OSError, pa.ArrowException, msgspec.MsgspecError, TypeError, ValueError) as error:
        raise HistoryError(f"{path} can't be read ({error}). Take it from a backup, or move it away.") from error


@exactly
def _table(rows: list[Row]) -> pa.Table:
    columns: dict[str, list[Any]] = {name: [getattr(record, name) for record, _ in rows] for name in FIELDS}
    extras = [dict(unknown) for _, unknown in rows]
    for name in _OBJECTS:
        columns[name] = [None if value is None else _encode(value) for value in columns[name]]
    for name in _MONEY:
        for number, amount in enumerate(columns[name]):
            if amount is not None and not _fits(amount):
                extras[number][name] = str(amount)
                columns[name][number] = round(amount, _DECIMALS)
    columns[EXTRA] = [_encode(extra) if extra else None for extra in extras]
    return pa.table(columns, schema=SCHEMA)


@exactly
def _row(row: dict[str, Any]) -> Row:
    unknown = msgspec.json.decode(row.pop(EXTRA) or "{}")
    for name in _OBJECTS:
        if row.get(name) is not None:
            row[name] = msgspec.json.decode(row[name])
    for name in _MONEY:
        if row.get(name) is not None:
            row[name] = Decimal(unknown.pop(name)) if name in unknown else _plain(row[name])
    return Record(**{name: value for name, value in row.items() if name in _KINDS}), unknown


def _fits(amount: Decimal) -> bool:
    exponent = amount.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -_DECIMALS


def _plain(amount: Decimal) -> Decimal:
    """An amount without the zeros that the column's fixed number of decimals adds."""
    short = amount.normalize()
    return short.quantize(Decimal(1)) if short == short.to_integral_value() else short


def _encode(value: object) -> str:
    return msgspec.json.encode(value).decode()
