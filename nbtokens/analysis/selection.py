"""Which records a question is about, and how they are grouped."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from nbtokens.errors import NbtokensError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nbtokens.record import Record

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN: Final = re.compile(r"(\d+)\s*([mhdw])")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records count. None in a field means: all.

    Attributes:
        since: those that began at this time or later, UTC.
        until: those that began before it.
        run: those of this `run_id`.
    """

    since: datetime | None = None
    until: datetime | None = None
    run: str | None = None
    model: str | None = None
    operation: str | None = None
    user: str | None = None
    notebook: str | None = None
    session: str | None = None

    @property
    def everything(self) -> bool:
        """Whether every record counts."""
        return all(getattr(self, field.name) is None for field in fields(self))

    def of(self, records: Iterable[Record]) -> Iterator[Record]:
        """Those of the records that count."""
        wanted = {
            "run_id": self.run,
            "operation": self.operation,
            "user": self.user,
            "notebook": self.notebook,
            "session": self.session,
        }
        asked = [(name, value) for name, value in wanted.items() if value is not None]
        for record in records:
            if (
                (self.since is None or record.started_at >= self.since)
                and (self.until is None or record.started_at < self.until)
                and (self.model is None or (record.model or record.request_model) == self.model)
                and all(getattr(record, name) == value for name, value in asked)
            ):
                yield record


def point_in_time(text: str, now: datetime) -> datetime:
    """What `7d`, `12h`, `2w`, `30m` (so long ago), or an ISO date or time says. Without a zone it is UTC, as days are.

    Raises:
        NbtokensError: it says nothing of that kind.
    """
    span = _SPAN.fullmatch(text.strip())
    try:
        if span is not None:
            return now - timedelta(**{_UNITS[span[2]]: int(span[1])})
        at = datetime.fromisoformat(text.strip())
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise NbtokensError(
            f"{text!r} is no time: give 7d, 12h, 2w or 30m for so long ago, or 2026-11-20, or 2026-11-20T09:30"
        ) from error


OF_DAYS: Final[dict[str, Callable[[str], str]]] = {
    "day": lambda day: day,
    "week": lambda day: "{}-W{:02d}".format(*datetime.fromisoformat(day).isocalendar()),
    "month": lambda day: day[:7],
}
"""The day, ISO week or month that a day, in ISO form, belongs to. Days are UTC."""
_OF_RECORDS: Final[dict[str, Callable[[Record], str | None]]] = {
    "model": lambda record: record.model or record.request_model,
    "operation": lambda record: record.operation,
    "call_type": lambda record: record.call_type,
    "provider": lambda record: record.provider,
    "notebook": lambda record: record.notebook,
    "user": lambda record: record.user,
    "session": lambda record: record.session,
    "run_id": lambda record: record.run_id,
    "cell": lambda record: f"{record.notebook or ''} [{record.cell}]".lstrip() if record.cell else None,
}
KNOWN: Final = (*_OF_RECORDS, *OF_DAYS)
"""What one may group by, besides the name of any tag."""
_IN_TOTALS: Final = frozenset({"model", "operation", "call_type", "provider", "notebook", "user", *OF_DAYS})


def in_totals(by: str) -> bool:
    """Whether totals are kept by this, so that no record has to be read."""
    return by in _IN_TOTALS


def group_of(by: str) -> Callable[[Record], str | None]:
    """What tells the group of a record; by anything that is not in `KNOWN`, the value of this tag."""
    if by in OF_DAYS:
        of_day = OF_DAYS[by]
        return lambda record: of_day(record.started_at.date().isoformat())
    return _OF_RECORDS.get(by) or (lambda record: _tag(record, by))


def _tag(record: Record, name: str) -> str | None:
    value = (record.tags or {}).get(name)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return None if value is None else str(value)
