"""Rows and the sums that stand for them: what is here in the one form must not come in again in the other.

A sum does not say which rows it was made of. It says for which day, model, notebook, user and so on, and when the first
and the last of them began; what falls between, with the same names, is taken for a part of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from nbtokens.history.sums import Key, key_of

if TYPE_CHECKING:
    from nbtokens.history.store import Store
    from nbtokens.record import Record

_WANTED: Final = frozenset(Key._fields) - {"day"} | {"request_model", "sums"}
_ROWS: Final = ("call", "cache_hit", "run")


class Overlap:
    """What a history holds now, to be compared with rows that are to come in.

    Args:
        store: the history.
    """

    def __init__(self, store: Store) -> None:
        self._totals = store.totals()
        self._spans: dict[Key, list[tuple[datetime | None, datetime | None]]] = {}
        self._passed: set[str | None] = set()
        for columns in store.columns(_WANTED):
            for row in columns.where("kind", "rollup".__eq__).records():
                self._spans.setdefault(key_of(row), []).append(_span(row))

    def holds(self, record: Record) -> bool:
        """Whether a row, or what it speaks of, is in sums that are here; or the rows that it sums up are here."""
        if record.kind in _ROWS and self._spans:
            at = record.started_at
            held = any(_meet(span, (at, at)) for span in self._spans.get(key_of(record), ()))
        elif record.kind == "rollup":
            sums = self._totals.rows.get(key_of(record))
            held = sums is not None and _meet((sums.first_at, sums.last_at), _span(record))
        else:
            return record.ref in self._passed
        if held:
            self._passed.add(record.id)
        return held


def _span(rollup: Record) -> tuple[datetime | None, datetime | None]:
    sums: dict[str, Any] = rollup.sums or {}
    return _moment(sums.get("first_at")), _moment(sums.get("last_at"))


def _moment(text: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def _meet(one: tuple[datetime | None, datetime | None], other: tuple[datetime | None, datetime | None]) -> bool:
    """Whether two spans of time have a moment in common; what is not known (of answers from a cache) may be any."""
    first = max((at for at in (one[0], other[0]) if at is not None), default=None)
    last = min((at for at in (one[1], other[1]) if at is not None), default=None)
    return first is None or last is None or first <= last
