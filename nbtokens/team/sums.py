"""The sums of each day, kept with every batch: what a change of the records changes of them."""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
from sqlalchemy import ColumnElement, delete, func
from sqlalchemy.dialects import postgresql, sqlite

from nbtokens.history.sums import Key, Sums, key_of, of_rollup
from nbtokens.team.tables import KEYS, SUMS, daily

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import Connection

    from nbtokens.record import Record

_COUNTED: Final = ("call", "cache_hit", "run", "rollup")
_TIMES: Final = ("first_at", "last_at")
_COUNTS: Final = tuple(name for name in SUMS if name not in _TIMES)

Place: TypeAlias = tuple[str | None, Key]
"""What a row of the sums is for: a project, and a key."""


class Change:
    """By how much the sums of some days change."""

    def __init__(self) -> None:
        self._sums: dict[Place, Sums] = {}

    def add(self, record: Record) -> None:
        """A record came."""
        if record.kind in _COUNTED:
            sums = self._of(record)
            if record.kind == "rollup":
                sums.merge(_of_rollup(record))
            else:
                sums.add(record)

    def amend(self, before: Record, after: Record) -> None:
        """A record has another price."""
        if before.kind == "call":
            self._of(before).amend(before, after)

    def remove(self, record: Record) -> None:
        """A record was taken out."""
        if record.kind not in _COUNTED:
            return
        gone = Sums()
        if record.kind == "rollup":
            gone.merge(_of_rollup(record))
        else:
            gone.add(record)
        sums = self._of(record)
        for name in _COUNTS:
            setattr(sums, name, getattr(sums, name) - getattr(gone, name))

    def _of(self, record: Record) -> Sums:
        return self._sums.setdefault((record.project, key_of(record)), Sums())

    def write(self, connection: Connection) -> None:
        """Add it to what the database has. In one order always, so that two writers don't wait for each other."""
        rows = sorted((_row(place, sums) for place, sums in self._sums.items()), key=lambda row: str(row["key"]))
        if rows:
            connection.execute(_upsert(connection.dialect.name), rows)


def remove_empty(connection: Connection, days: Iterable[date]) -> None:
    """Remove the rows of some days that stand for nothing any more."""
    nothing = [daily.c[name] == 0 for name in ("calls", "cache_hits", "runs")]
    connection.execute(delete(daily).where(daily.c.day.in_(set(days)), *nothing))


def _of_rollup(record: Record) -> Sums:
    try:
        return of_rollup(record)[0]
    except msgspec.ValidationError:  # written by somebody else
        return Sums()


def _row(place: Place, sums: Sums) -> dict[str, Any]:
    project, key = place
    named = {"project": project, **key._asdict()}
    return {
        "key": hashlib.blake2b(repr((project, *key)).encode(errors="replace"), digest_size=16).hexdigest(),
        "day": date.fromisoformat(key.day),
        **{name: named[name] for name in KEYS},
        **{name: getattr(sums, name) for name in SUMS},
    }


def _upsert(dialect: str) -> Any:  # noqa: ANN401 - one of two classes without a common one
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(daily)
    least, most = (func.least, func.greatest) if dialect == "postgresql" else (func.min, func.max)

    def widened(name: str) -> ColumnElement[Any]:
        old, new = daily.c[name], insert.excluded[name]
        choose = least if name == "first_at" else most
        return choose(func.coalesce(old, new), func.coalesce(new, old))

    changed = {name: daily.c[name] + insert.excluded[name] for name in _COUNTS}
    return insert.on_conflict_do_update(
        index_elements=["key"], set_={**changed, **{name: widened(name) for name in _TIMES}}
    )


def sums_of(row: Sequence[Any]) -> Sums:
    """The sums that a row of the database ends with."""
    return Sums(*(read(value) for read, value in zip(_READ, row[-len(SUMS) :], strict=True)))


def _reader(name: str) -> Callable[[Any], Any]:
    """What a sum is read with: nothing is 0, and PostgreSQL adds up whole numbers as decimals."""
    if name in _TIMES:
        return lambda value: value
    if name.endswith("_usd"):
        return lambda value: Decimal(0) if value is None else value
    if name.endswith("_s"):
        return lambda value: value or 0.0
    return lambda value: int(value or 0)


_READ: Final = tuple(map(_reader, SUMS))
