"""Looking after a history: months into the archive, old rows into sums, a person's data out."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from nbtokens.history.checkpoint import CHECKPOINT_NAME
from nbtokens.history.rewrite import Outcome, Plan, backups, filter_file, rewrite
from nbtokens.history.sums import Key, Measures, Sums, key_of, rollup_fields
from nbtokens.record import FIELDS, VERSION, Record, folded, new_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nbtokens.history.parquet import Writer
    from nbtokens.history.store import Store

_COUNTED: Final = ("call", "cache_hit", "run")
_FIELDS: Final = frozenset(FIELDS)
_REFERRING: Final = ("amend", "score")
_LEFT_OVER: Final = re.compile(r"\.(usage_history|totals_checkpoint|USAGE_SUMMARY|_totals)\b.*")
"""Files that a process had not yet given their names when it was killed."""


def archive(store: Store, before: datetime) -> Outcome:
    """Move the rows of months that ended before a moment into Parquet files, a folder for each month.

    Raises:
        HistoryError: pyarrow is missing, or the history can't be written anew.
    """
    from nbtokens.history import parquet  # noqa: PLC0415 - pyarrow, only where months are archived

    first = before.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    writers: dict[str, Writer] = {}
    plan = Plan("archive", keeps=lambda record: record.started_at >= first)

    def take(record: Record, line: bytes) -> None:
        at = record.started_at
        name = f"year={at.year}/month={at.month}/part-{plan.marker}.parquet"
        if name not in writers:
            writers[name] = parquet.Writer(store.archive.folder / name)
        writers[name].add(record, unknown_of(line))

    def close(files: list[str]) -> list[str]:
        for writer in writers.values():
            writer.close()
        return sorted([*files, *writers], key=_by_month)

    plan.takes, plan.files = take, close
    try:
        outcome = rewrite(store, plan)
    except BaseException:
        for writer in writers.values():
            writer.abandon()
        raise
    outcome.files = [store.archive.folder / name for name in sorted(writers)]
    return outcome


def _by_month(name: str) -> tuple[int, int, str]:
    year, month, file = name.split("/")
    return int(year.partition("=")[2]), int(month.partition("=")[2]), file


def unknown_of(line: bytes) -> dict[str, Any]:
    """The keys of a line that this version does not know."""
    row = msgspec.json.decode(line) if line else {}
    return {name: value for name, value in row.items() if name not in _FIELDS}


def retain(store: Store, days: int, now: datetime) -> Outcome:
    """Replace rows that are older than so many days by their sums: one `rollup` row for each key of the totals."""
    horizon = (now - timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)
    amended = store.amendments()
    gone: set[str] = set()
    sums: dict[Key, tuple[Sums, Measures]] = {}

    def keeps(record: Record) -> bool:
        if record.kind in _REFERRING:
            return record.ref not in gone
        if record.kind not in _COUNTED or record.started_at >= horizon:
            return True
        gone.add(record.id)
        whole = folded(record, amended.get(record.id))
        of_key, measures = sums.setdefault(key_of(whole), (Sums(), Measures()))
        of_key.add(whole)
        if whole.kind == "call" and whole.status == "ok":
            measures.add(whole)
        return False

    def rollups() -> Iterator[Record]:
        for key, (of_key, measures) in sums.items():
            day = datetime.fromisoformat(key.day).replace(tzinfo=UTC)
            fields = rollup_fields(key, of_key, measures)
            yield Record(v=VERSION, kind="rollup", id=new_id(), started_at=day, **fields)

    return rewrite(store, Plan("keep", keeps=keeps, keeps_archived=keeps, more=rollups))


def is_due(store: Store, days: int, now: datetime) -> bool:
    """Whether there are rows, the archive's too, that are older than so many days, and one more."""
    horizon = now - timedelta(days=days + 1)
    last = horizon.date().isoformat()
    if not store.view(lambda totals: any(day <= last for day in totals.by("day") if day is not None)):
        return False
    # what is so old may be nothing but sums
    if any(record.started_at < horizon for record in store.archive.rows(kinds=_COUNTED)):
        return True
    from nbtokens.history.plain import columns_in  # noqa: PLC0415 - numpy, only where it may be due

    return any(
        at < horizon
        for columns in columns_in(store.journal.path)
        for at in columns.where("kind", _COUNTED.__contains__).values("started_at")
    )


@dataclass(frozen=True)
class Choice:
    """Whose rows, or which, are to be forgotten: those for which everything holds that is said.

    Attributes:
        user: this user's.
        notebook: this notebook's.
        before: earlier than this.
        since: at this time, or later.
    """

    user: str | None = None
    notebook: str | None = None
    before: datetime | None = None
    since: datetime | None = None

    def holds(self, record: Record) -> bool:
        """Whether a row is among them."""
        return (
            (self.user is None or record.user == self.user)
            and (self.notebook is None or record.notebook == self.notebook)
            and (self.before is None or record.started_at < self.before)
            and (self.since is None or record.started_at >= self.since)
        )

    def names(self) -> list[bytes]:
        """The names as they stand in a line."""
        return [json.dumps(name, ensure_ascii=False).encode() for name in (self.user, self.notebook) if name]


@dataclass
class Forgotten:
    """What `forget` did: rows taken out of the history, of the archive, of backups; files removed."""

    rows: int = 0
    archived: int = 0
    in_backups: int = 0
    torn_files: list[str] = field(default_factory=list)


def forget(store: Store, choice: Choice) -> Forgotten:
    """Take rows out of the history, the archive, the backups and what was set aside; and what refers to them.

    Raises:
        HistoryError: the history can't be written anew. Nothing is changed then.
    """
    gone: set[str] = set()

    def keeps(record: Record) -> bool:
        if record.kind in _REFERRING:
            return record.ref not in gone
        if record.kind != "rewrite" and choice.holds(record):
            gone.add(record.id)
            return False
        return True

    outcome = rewrite(store, Plan("forget", keeps=keeps, keeps_archived=keeps))
    done = Forgotten(outcome.rows, outcome.archived)
    if outcome.backup is not None:
        outcome.backup.unlink()  # the new file is its copy without these rows
    for backup in backups(store.folder):
        done.in_backups += filter_file(backup, keeps)
    for torn in store.folder.glob("usage_history.torn-*"):
        content = torn.read_bytes()
        if not choice.names() or any(name in content for name in choice.names()):
            torn.unlink()
            done.torn_files.append(torn.name)
    _remove_left_overs(store.folder)
    if done.rows + done.archived == 0:
        (store.folder / CHECKPOINT_NAME).unlink(missing_ok=True)
    return done


def _remove_left_overs(folder: Path) -> None:
    for path in folder.rglob(".*"):
        if _LEFT_OVER.fullmatch(path.name):
            path.unlink(missing_ok=True)
