"""Which records a question is about, and how they are grouped."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import partial
from operator import eq
from typing import TYPE_CHECKING, Any, Final

from nbtokens.errors import NbtokensError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from nbtokens.history.columns import Columns
    from nbtokens.record import Record

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST: Final = -(2**62)
_MOST: Final = 2**62
_SPAN: Final = re.compile(r"(\d+)\s*([mhdw])")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records count. None in a field means: all.

    Attributes:
        since: those that began at this time or later, UTC.
        until: those that began before it.
        run: those of this `run_id`.
        operation: those with this label, and those without any label that are of this type, as both are shown.
        reset_at: of the session, those that began at this time or later, UTC, and
        besides: those with these ids, whenever they began.
    """

    since: datetime | None = None
    until: datetime | None = None
    run: str | None = None
    model: str | None = None
    operation: str | None = None
    user: str | None = None
    notebook: str | None = None
    session: str | None = None
    reset_at: datetime | None = None
    besides: frozenset[str] | None = None

    @property
    def everything(self) -> bool:
        """Whether every record counts."""
        return all(getattr(self, field.name) is None for field in fields(self))

    @property
    def fields(self) -> frozenset[str]:
        """The fields of a record that tell whether it counts."""
        if self.everything:
            return frozenset()
        return frozenset({"run_id", *_FIELDS["model"], *_FIELDS["operation"], "user", "notebook", "session"})

    def of(self, records: Iterable[Record]) -> Iterator[Record]:
        """Those of the records that count."""
        wanted = {
            "run_id": self.run,
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
                and (self.operation is None or record.purpose == self.operation)
                and all(getattr(record, name) == value for name, value in asked)
                and (self.reset_at is None or record.started_at >= self.reset_at or record.id in (self.besides or ()))
            ):
                yield record

    def within(self, blocks: Iterable[Columns]) -> Iterator[Columns]:
        """The same, of blocks of rows."""
        if self.everything:
            yield from blocks
            return
        asked = {
            name: value
            for name, value in (
                ("run_id", self.run), ("user", self.user), ("notebook", self.notebook), ("session", self.session),
            )
            if value is not None
        }  # fmt: skip
        for block in blocks:
            chosen = block
            for name, value in asked.items():
                chosen = chosen.where(name, partial(eq, value))
            chosen = self._since_reset(self._in_time(chosen))
            chosen = _named(_named(chosen, "model", self.model), "operation", self.operation)
            del block
            if len(chosen):
                yield chosen
            del chosen  # before more are read, into warm memory

    def _in_time(self, block: Columns) -> Columns:
        if (self.since is None and self.until is None) or not len(block):
            return block
        at = block.times().astype("datetime64[us]").astype("int64")
        holds = at >= (_LEAST if self.since is None else _microseconds(self.since))
        holds &= at < (_MOST if self.until is None else _microseconds(self.until))
        return block.only(holds.nonzero()[0].tolist())

    def _since_reset(self, block: Columns) -> Columns:
        if self.reset_at is None or not len(block):
            return block
        began = block.times().astype("datetime64[us]").astype("int64") >= _microseconds(self.reset_at)
        if self.besides:
            began |= [one in self.besides for one in block.values("id")]
        return block.only(began.nonzero()[0].tolist())


def _named(block: Columns, by: str, wanted: str | None) -> Columns:
    """The rows whose group of a dimension has this name; all where None is wanted."""
    if wanted is None or not len(block):
        return block
    names = enumerate(block.tuples(*_FIELDS[by]))
    return block.only([row for row, (name, instead) in names if (name or instead) == wanted])


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


def _microseconds(at: datetime) -> int:
    """Since 1970, UTC."""
    return (at - _EPOCH) // timedelta(microseconds=1)


OF_DAYS: Final[dict[str, Callable[[str], str]]] = {
    "day": lambda day: day,
    "week": lambda day: "{}-W{:02d}".format(*datetime.fromisoformat(day).isocalendar()),
    "month": lambda day: day[:7],
}
"""The day, ISO week or month that a day, in ISO form, belongs to. Days are UTC."""
_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    **{name: (name,) for name in ("call_type", "provider", "notebook", "user", "session", "run_id")},
    "model": ("model", "request_model"),
    "operation": ("operation", "call_type"),
    "cell": ("notebook", "cell"),
}
_ORDER: Final = ("model", "operation", "call_type", "provider", "notebook", "cell", "user", "session", "run_id")
KNOWN: Final = (*_ORDER, *OF_DAYS)
"""What one may group by, besides the name of any tag."""
_IN_TOTALS: Final = frozenset({"model", "operation", "call_type", "provider", "notebook", "user", *OF_DAYS})


def in_totals(by: str) -> bool:
    """Whether totals are kept by this, so that no record has to be read."""
    return by in _IN_TOTALS


def fields_of(by: str) -> tuple[str, ...]:
    """The fields of a record that tell its group, besides its start."""
    return () if by in OF_DAYS else _FIELDS.get(by, ("tags",))


def group_of(by: str) -> Callable[[Record], str | None]:
    """What tells the group of a record; by anything that is not in `KNOWN`, the value of this tag."""
    if by in OF_DAYS:
        of_day = OF_DAYS[by]
        return lambda record: of_day(record.started_at.date().isoformat())
    if by in _FIELDS:
        return lambda record: _name(by, [getattr(record, field) for field in _FIELDS[by]])
    return lambda record: _tag(record.tags, by)


def groups_of(by: str, block: Columns) -> Iterable[str | None]:
    """The same for each row of a block."""
    if by in OF_DAYS:
        days = block.times().astype("datetime64[D]").astype(str).tolist()
        names = {day: OF_DAYS[by](day) for day in set(days)}
        return [names[day] for day in days]
    if by not in _FIELDS:
        return [_tag(tags, by) for tags in block.values("tags")]
    if len(_FIELDS[by]) == 1:
        return block.values(by)
    return [_name(by, fields) for fields in block.tuples(*_FIELDS[by])]


def _name(by: str, fields: Sequence[str | None]) -> str | None:
    if by == "cell":
        notebook, cell = fields
        return f"{notebook or ''} [{cell}]".lstrip() if cell else None
    return next(filter(None, fields), None) if len(fields) > 1 else fields[0]


def _tag(tags: Mapping[str, Any] | None, name: str) -> str | None:
    value = tags.get(name) if tags else None
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return None if value is None else str(value)
