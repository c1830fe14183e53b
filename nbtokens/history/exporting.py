"""The history as a file for other programs: CSV, JSON or Parquet; amendments folded in."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from nbtokens.history.importing import FORMULA
from nbtokens.record import FIELDS, Record, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FORMATS: Final = ("csv", "json", "parquet")


def as_csv(records: Iterable[Record]) -> Iterator[str]:
    """The lines of a table: the columns of docs/record.md; objects as JSON.

    A text that a spreadsheet would take for a formula gets an apostrophe before it: names come from wherever the
    calls came from.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(FIELDS)
    for record in records:
        writer.writerow([_cell(getattr(record, name)) for name in FIELDS])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def as_json(records: Iterable[Record]) -> Iterator[str]:
    """The lines of an array, as in the history itself."""
    before = "[\n"
    for record in records:
        yield before + encode(record).decode()
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def to_parquet(records: Iterable[Record], path: Path) -> None:
    """One Parquet file, with the columns of docs/record.md.

    Raises:
        HistoryError: pyarrow is missing.
    """
    from nbtokens.history.parquet import Writer  # noqa: PLC0415 - pyarrow, only where it is asked for

    writer = Writer(path)
    try:
        for record in records:
            writer.add(record)
    except BaseException:
        writer.abandon()
        raise
    writer.close()


def _cell(value: Any) -> str:  # noqa: ANN401 - whatever a record holds
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}" if FORMULA.match(value) else value
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict):
        return msgspec.json.encode(value).decode()
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else str(value)
