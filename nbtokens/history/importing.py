"""Taking other histories in: of a colleague, of another machine, of a table; each record once."""

from __future__ import annotations

import csv
import re
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

import msgspec

from nbtokens.errors import HistoryError
from nbtokens.history.layout import HEAD_BYTES, is_ours, read_texts
from nbtokens.history.overlap import Overlap
from nbtokens.record import FIELDS, VERSION, Record, decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from nbtokens.history.store import Store

_LOT: Final = 1_000
_NUMBERS: Final = (int, float, Decimal)
_TABLE: Final = uuid.UUID("5e2bb0a6-53b6-4a6e-9a54-6d0d0f2f6c11")
_TOKENS: Final = ("input_tokens", "output_tokens")


@dataclass
class Imported:
    """What was taken in of one file.

    Attributes:
        added: rows that are in the history now.
        known: rows that were there already.
        summed: rows that sums here stand for already, or sums of rows that are here.
        bad: lines that are no record, and why.
    """

    added: int = 0
    known: int = 0
    summed: int = 0
    bad: list[str] = field(default_factory=list)


def import_file(store: Store, path: Path, columns: Mapping[str, str], known: set[str]) -> Imported:
    """Add the rows of a file to the history, those that it has not yet.

    Args:
        store: the history.
        path: a history (JSON), or a table (`.csv`).
        columns: for a table: field of the record -> column of the table, where their names differ.
        known: the ids of the rows that the history has; those of the added ones are added.

    Raises:
        HistoryError: the file can't be read, or is neither.
    """
    done = Imported()
    lot: list[bytes] = []
    here = Overlap(store)
    try:
        texts = _table_rows(path, columns, done) if path.suffix.lower() == ".csv" else _history_rows(path, done)
        for text, record in texts:
            if record.id in known:
                done.known += 1
                continue
            known.add(record.id)
            if here.holds(record):
                done.summed += 1
                continue
            lot.append(text)
            if len(lot) >= _LOT:
                done.added += _append(store, lot)
                lot = []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise HistoryError(f"{path} can't be read: {error}.") from error
    done.added += _append(store, lot)
    return done


def _append(store: Store, lot: list[bytes]) -> int:
    if lot and store.journal.append(lot, timeout=30.0) is None:
        raise HistoryError(f"{store.journal.path} was locked by another process for 30 s. Import the file again later.")
    return len(lot)


def _history_rows(path: Path, done: Imported) -> Iterator[tuple[bytes, Record]]:
    with path.open("rb") as file:
        if not is_ours(file.read(HEAD_BYTES)):
            raise HistoryError(
                f"{path} is not a usage history, and its name does not end in .csv; nothing was imported."
            )
        file.seek(0)
        for number, (text, record) in enumerate(read_texts(file), 1):
            if record is None:
                done.bad.append(f"row {number}: {_why(text)}")
            elif record.kind != "rewrite":
                yield text, record


def _why(text: bytes) -> str:
    try:
        decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return str(error)
    return "no record"


def _table_rows(path: Path, columns: Mapping[str, str], done: Imported) -> Iterator[tuple[bytes, Record]]:
    """The rows of a table as records. Their ids follow from what they say, so that a second import finds them."""
    seen: Counter[str] = Counter()
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        names = table.fieldnames or ()
        if names and "started_at" not in {*names, *columns}:
            raise HistoryError(
                f"{path} has no column started_at; name the one that says when a call began, with --map "
                f"started_at=COLUMN. Its columns: {', '.join(names)}."
            )
        for name, column in columns.items():
            if name not in FIELDS or column not in names:
                raise HistoryError(
                    f"--map {name}={column}: {name!r} must be a field of docs/record.md, and {column!r} a column of "
                    f"{path} ({', '.join(names)})."
                )
        for number, row in enumerate(table, 2):
            try:
                record = _record_of_row(row, columns, seen)
            except (ValueError, TypeError, InvalidOperation, msgspec.MsgspecError) as error:
                done.bad.append(f"line {number}: {error}")
                continue
            yield encode(record), record


def _record_of_row(row: Mapping[str, Any], columns: Mapping[str, str], seen: Counter[str]) -> Record:
    mapped = {name: row.get(columns.get(name, name)) for name in FIELDS}
    values = {name: text.strip() for name, text in mapped.items() if isinstance(text, str) and text.strip()}
    told = msgspec.json.encode(values, order="sorted").decode()
    seen[told] += 1
    values.setdefault("id", str(uuid.uuid5(_TABLE, f"{told} {seen[told]}")))
    if "started_at" not in values:
        raise ValueError("it has no started_at; name its column with --map started_at=COLUMN")
    at = datetime.fromisoformat(values.pop("started_at"))
    if values.setdefault("kind", "call") == "call":
        values.setdefault("status", "ok")
    plain: dict[str, Any] = {name: _unquoted(text) for name, text in values.items()}
    for name in ("usage", "tags", "scores", "sums", "content"):
        if name in plain:
            plain[name] = msgspec.json.decode(plain[name])
    plain |= {"v": VERSION, "started_at": at.astimezone(UTC)}
    record = msgspec.convert(plain, Record, strict=False)
    if record.total_tokens is None and (record.input_tokens is not None or record.output_tokens is not None):
        total = (record.input_tokens or 0) + (record.output_tokens or 0)
        record = msgspec.structs.replace(record, total_tokens=total)
    return decode(encode(record))


def _unquoted(text: str) -> str:
    """A text as it was before `nbtokens export` made it harmless to spreadsheets."""
    return text[1:] if text[:1] == "'" and FORMULA.match(text) else text


FORMULA: Final = re.compile("'*[=+@\\t\\r\\n\uff1d\uff0b\uff0d\uff20-]")
"""So a cell begins that a spreadsheet takes for a formula, in full-width characters, too; or one that was quoted."""
