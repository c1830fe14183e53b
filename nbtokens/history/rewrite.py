"""Writing the history anew without some of its rows: under the lock, after a dated backup, in one step.

A crash at any moment leaves the history of before or the new one, never a part of either. The new file begins with a
row of kind `rewrite`, whose id no other file has; checkpoints, other kernels and the archive know it by that.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

from nbtokens.errors import HistoryError
from nbtokens.history.archive import Entry, marker_of
from nbtokens.history.checkpoint import sync_folder
from nbtokens.history.journal import set_aside
from nbtokens.history.layout import BETWEEN, read_texts
from nbtokens.record import VERSION, Record, encode, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nbtokens.history.store import Store

BACKUPS: Final = "backups"
_MOST_BACKUPS: Final = 5


@dataclass
class Outcome:
    """What a rewrite did.

    Attributes:
        removed: how many rows were taken out of the file, by kind.
        archived: how many rows were taken out of the archive.
        backup: the file as it was before.
        aside: what could not be read, in a file of its own.
        files: Parquet files that were written.
    """

    removed: dict[str, int] = field(default_factory=dict)
    archived: int = 0
    backup: Path | None = None
    aside: Path | None = None
    files: list[Path] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many rows were taken out of the file."""
        return sum(self.removed.values())


@dataclass
class Plan:
    """What to do with the rows of a history.

    Attributes:
        why: "archive", "forget", "keep" or "repair"; it is said in the new file.
        keeps: whether a row stays in the file; asked once for each, in their order.
        keeps_archived: whether a row stays in the archive; None leaves the archive as it is.
        more: rows to write behind those that stay; asked when all were seen.
        takes: told of each row that goes, with its line.
        files: asked before the new file comes into force: the archive's files that belong to it, given the old ones.
        marker: the id of the new file's first row.
    """

    why: str
    keeps: Callable[[Record], bool]
    keeps_archived: Callable[[Record], bool] | None = None
    more: Callable[[], Iterable[Record]] = tuple
    takes: Callable[[Record, bytes], None] = lambda _record, _line: None
    files: Callable[[list[str]], list[str]] = list
    marker: str = field(default_factory=new_id)


def rewrite(store: Store, plan: Plan) -> Outcome:
    """Write the history anew.

    Raises:
        HistoryError: another process holds the lock, the file is not ours, or it has rows of a newer version.
        OSError: it can't be written. Everything is as before.
    """
    outcome = Outcome()
    store.flush()
    archive = store.archive
    with store.journal.locked():
        path = Path(os.path.realpath(store.journal.path))
        before = Entry(marker_of(path), archive.names())
        if archive.entries():  # another journal's may be among them, which a command left that did not come to its end
            archive.keep_entries([before])
        archive.remove_strays()
        if plan.why == "archive":
            archive.begin()
        try:
            files = _rewrite_archive(store, plan, before.files, outcome)
            temporary = path.with_name(f".{path.name}.new")
            _write(path, temporary, plan, outcome)
            files = plan.files(files)
            outcome.backup = back_up(path)
            if files or archive.entries():
                archive.keep_entries([before, Entry(plan.marker, files)])
            temporary.replace(path)
        except BaseException:
            path.with_name(f".{path.name}.new").unlink(missing_ok=True)
            archive.remove_strays()
            raise
        sync_folder(path.parent)
        if archive.entries():
            archive.keep_entries([Entry(plan.marker, files)])
            archive.remove_strays()
            archive.drop_totals()  # they hold the latest rows, which may be gone
    store.totals()
    store.checkpoint(force=True)
    return outcome


def back_up(path: Path) -> Path:
    """Keep the file as it is now under a dated name; of many such, the newest five stay."""
    folder = path.parent / BACKUPS
    folder.mkdir(mode=0o700, exist_ok=True)
    stem = f"usage_history-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    backup = folder / f"{stem}.json"
    try:
        os.link(path, backup)  # the file itself is never changed again: the new one takes its name
    except OSError:
        shutil.copyfile(path, backup)
        backup.chmod(0o600)
    for old in backups(path.parent)[:-_MOST_BACKUPS]:
        old.unlink()
    return backup


def backups(folder: Path) -> list[Path]:
    """The dated copies of a ledger, the oldest first."""
    return sorted((folder / BACKUPS).glob("usage_history-*.json"))


def filter_file(path: Path, keeps: Callable[[Record], bool]) -> int:
    """Write a file that nobody appends to anew, without some rows; returns how many went. It stays if none goes."""
    temporary = path.with_name(f".{path.name}.new")
    outcome = Outcome()
    try:
        _write(path, temporary, Plan("forget", keeps), outcome)
        if outcome.rows:
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return outcome.rows


def _write(path: Path, temporary: Path, plan: Plan, outcome: Outcome) -> None:
    unreadable: list[bytes] = []
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "wb") as new, path.open("rb") as old:
        marker = Record(
            v=VERSION, kind="rewrite", id=plan.marker, started_at=datetime.now(UTC), tags={"why": plan.why}
        )  # fmt: skip
        new.write(b"[\n" + encode(marker))
        _copy(old, new, plan, outcome, unreadable)
        for record in plan.more():
            new.write(BETWEEN + encode(record))
        new.write(b"\n]\n")
        new.flush()
        os.fsync(new.fileno())
    if unreadable:
        outcome.aside = set_aside(path.parent, b"\n".join(unreadable))


def _copy(old: BinaryIO, new: BinaryIO, plan: Plan, outcome: Outcome, unreadable: list[bytes]) -> None:
    for line, record in read_texts(old):
        if record is None:
            if _is_json(line):
                new.write(BETWEEN + line)
            else:
                unreadable.append(line)
            continue
        if record.v > VERSION:
            raise HistoryError(
                f"{old.name} has rows of version {record.v}, which this version of nbtokens does not know; it is left "
                "as it is. Upgrade nbtokens."
            )
        if record.kind == "rewrite":
            continue
        if plan.keeps(record):
            new.write(BETWEEN + line)
        else:
            plan.takes(record, line)
            outcome.removed[record.kind] = outcome.removed.get(record.kind, 0) + 1


def _rewrite_archive(store: Store, plan: Plan, names: list[str], outcome: Outcome) -> list[str]:
    """Write the archive's files anew that lose rows; returns the names that belong to the new history."""
    if plan.keeps_archived is None or not names:
        return list(names)
    from nbtokens.history import parquet  # noqa: PLC0415 - pyarrow, only where there is an archive

    files = []
    for name in names:
        source = store.archive.folder / name
        target = source.with_name(f"part-{plan.marker}-{source.stem[-12:]}.parquet")
        writer, kept, gone = parquet.Writer(target), 0, 0
        for record, unknown in parquet.read(source):
            if plan.keeps_archived(record):
                writer.add(record, unknown)
                kept += 1
            else:
                plan.takes(record, b"")
                gone += 1
        if gone and kept:
            writer.close()
            files.append(target.relative_to(store.archive.folder).as_posix())
        else:
            writer.abandon()
            files += [name] if kept else []
        outcome.archived += gone
    return files


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True
