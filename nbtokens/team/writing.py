"""Records into the database: each once, whatever is sent twice; and out of it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import Column, MetaData, Select, Table, Text, delete, exists, insert, select, text, update
from sqlalchemy.dialects import sqlite

from nbtokens.record import AMENDABLE, FIELDS, Record, encode, folded
from nbtokens.team.sums import Change, remove_empty
from nbtokens.team.tables import COLUMNS, LONGEST_NAME, retention, token_usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

_INDEXED: Final = ("project", "user", "notebook", "operation", "model", "run_id")
_MOST_IDS: Final = 500
_NUL: Final = "\x00"
_NUL_IN_JSON: Final = b"\\u0000"
_REPLACEMENT: Final = "\ufffd"
_NAMES: Final = ", ".join(f'"{name}"' for name in (*COLUMNS, "ledger"))
_INSERT_AS_JSON: Final = text(
    f"INSERT INTO token_usage ({_NAMES}) SELECT {_NAMES} "  # noqa: S608 - names of our own
    "FROM json_populate_recordset(NULL::token_usage, CAST(:rows AS json)) ON CONFLICT DO NOTHING RETURNING id"
)
_encoder: Final = msgspec.json.Encoder(decimal_format="number")
_kept: Final = Table("nbtokens_kept_ids", MetaData(), Column("id", Text(), primary_key=True), prefixes=["TEMPORARY"])


def write(connection: Connection, ledger: str, records: Iterable[Record], *, claim: bool = False) -> int:
    """Write a batch, in the caller's transaction. What is there already stays as it is.

    Args:
        connection: in a transaction.
        ledger: the history that the records come from.
        records: those of kind `rewrite` are left out.
        claim: rows that came from another history belong to this one from now on: it was copied, or moved.

    Returns:
        How many were new.
    """
    lot: dict[str, Record] = {}
    for record in map(_cleaned_record, records):
        if record.kind != "rewrite":
            lot.setdefault(record.id, record)
    if not lot:
        return 0
    rows = [{**{name: getattr(record, name) for name in COLUMNS}, "ledger": ledger} for record in lot.values()]
    insert_rows = _insert_as_json if connection.dialect.name == "postgresql" else _insert
    inserted = set(insert_rows(connection, rows))
    if claim and len(inserted) < len(rows):
        for ids in _parts([one for one in lot if one not in inserted]):
            connection.execute(update(token_usage).where(token_usage.c.id.in_(ids)).values(ledger=ledger))
    change = Change()
    amendments: dict[str, Record] = {}
    for record in lot.values():
        if record.id not in inserted:
            continue
        change.add(record)
        if record.kind == "amend" and record.ref is not None:
            amendments[record.ref] = record
    _amend(connection, amendments, change)
    change.write(connection)
    return len(inserted)


def _insert(connection: Connection, rows: list[dict[str, Any]]) -> Iterable[str]:
    """Insert the rows that are not there; returns their ids."""
    insertion = sqlite.insert(token_usage).on_conflict_do_nothing().returning(token_usage.c.id)
    return connection.scalars(insertion, rows)


def _insert_as_json(connection: Connection, rows: list[dict[str, Any]]) -> Iterable[str]:
    """The same in one statement with one parameter: six times as fast as a parameter for each value."""
    known = [{name: value for name, value in row.items() if value is not None} for row in rows]
    return connection.scalars(_INSERT_AS_JSON, {"rows": _encoder.encode(known).decode()})


def _amend(connection: Connection, amendments: dict[str, Record], change: Change) -> None:
    for ids in _parts(list(amendments)):
        for before in list(read(connection, select(token_usage).where(token_usage.c.id.in_(ids)))):
            after = folded(before, amendments[before.id])
            values = {name: getattr(after, name) for name in AMENDABLE}
            connection.execute(update(token_usage).where(token_usage.c.id == before.id).values(**values))
            change.amend(before, after)


def remove_others(connection: Connection, ledger: str, ids: Iterable[str]) -> int:
    """Remove what came from a history and is not in it any more, in the caller's transaction.

    Args:
        connection: in a transaction.
        ledger: the history.
        ids: of all the rows that it has.

    Returns:
        How many were removed.
    """
    _kept.create(connection)
    lot = []
    for one in dict.fromkeys(ids):
        lot.append({"id": one.replace(_NUL, _REPLACEMENT)})
        if len(lot) == _MOST_IDS:
            connection.execute(insert(_kept), lot)
            lot = []
    if lot:
        connection.execute(insert(_kept), lot)
    gone = (token_usage.c.ledger == ledger) & ~exists().where(_kept.c.id == token_usage.c.id)
    change, days, count = Change(), set(), 0
    for record in read(connection, select(token_usage).where(gone)):
        change.remove(record)
        days.add(record.started_at.date())
        count += 1
    connection.execute(delete(token_usage).where(gone))
    change.write(connection)
    remove_empty(connection, days)
    _kept.drop(connection)
    return count


def has_lost(connection: Connection, one: str, at: datetime) -> bool:
    """Whether a database has a row no more that it had, as after a backup was restored; retention drops older ones too.

    Args:
        connection: to the database.
        one: the row's id.
        at: when it began.
    """
    row = token_usage.c
    is_there = exists().where(row.started_at == at, row.id == one.replace(_NUL, _REPLACEMENT))
    is_dropped = exists().where(retention.c.since > at)
    return not connection.scalar(select(is_there | is_dropped))


def read(connection: Connection, query: Select[Any]) -> Iterable[Record]:
    """The records that a selection of whole rows finds."""
    for row in connection.execute(query, execution_options={"yield_per": 1000}).mappings():
        yield msgspec.convert({name: row[name] for name in COLUMNS if row[name] is not None}, Record)


def plain(record: Record) -> Record:
    """The record in ASCII, with question marks for all else: for a database whose encoding has no more characters."""
    changed = _with_texts(record, lambda value: value.encode("ascii", "replace").decode())
    return msgspec.structs.replace(changed, id=record.id, ref=record.ref)


def _cleaned_record(record: Record) -> Record:
    """The record without NUL characters, which PostgreSQL does not keep, and with names that its indexes can hold."""
    if _NUL_IN_JSON in encode(record):
        record = _with_texts(record, lambda value: value.replace(_NUL, _REPLACEMENT))
    long = {name: value[:LONGEST_NAME] for name in _INDEXED if len(value := getattr(record, name) or "") > LONGEST_NAME}
    return msgspec.structs.replace(record, **long) if long else record


def _with_texts(record: Record, change: Callable[[str], str]) -> Record:
    return msgspec.structs.replace(record, **{name: _changed(getattr(record, name), change) for name in FIELDS})


def _changed(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(name): _changed(one, change) for name, one in value.items()}
    return [_changed(one, change) for one in value] if isinstance(value, list) else value


def _parts(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(ids), _MOST_IDS):
        yield ids[start : start + _MOST_IDS]
