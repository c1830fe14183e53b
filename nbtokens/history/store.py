"""The history of one project: its file, the records that wait for it, and totals that are kept up to date."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from nbtokens.decimals import exactly
from nbtokens.errors import HistoryError
from nbtokens.history.archive import Archive
from nbtokens.history.checkpoint import CHECKPOINT_NAME, replace_file
from nbtokens.history.counted import Counted
from nbtokens.history.journal import Journal
from nbtokens.record import Amendment, Record, encode, folded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet
    from datetime import date
    from pathlib import Path

    from nbtokens.history.columns import Columns
    from nbtokens.history.layout import Bad
    from nbtokens.history.totals import Totals

T = TypeVar("T")

__all__ = ["CHECKPOINT_NAME", "SUMMARY_NAME", "Store"]

SUMMARY_NAME: Final = "USAGE_SUMMARY.md"
_MOST_WAITING: Final = 100_000


class Store:
    """Keeps records, and answers for all that were ever kept.

    Args:
        folder: the ledger's folder; it is made when the first record comes.
        tell: called with a sentence for the user when something is wrong that does not stop a call.
        durable: bring each record to the disk itself before `append` returns.
        keep_days: rows that are older become sums, when a checkpoint is due.
    """

    def __init__(
        self, folder: Path, tell: Callable[[str], None], *, durable: bool = False, keep_days: int | None = None
    ) -> None:
        self.folder = folder
        self.journal = Journal(folder, durable=durable)
        self.archive = Archive(folder)
        self._keep_days = keep_days
        self._retained_on: date | None = None
        self._tell = tell
        self._waiting: deque[bytes] = deque(maxlen=_MOST_WAITING)
        self._waiting_records: deque[Record] = deque(maxlen=_MOST_WAITING)
        self._appending = threading.Lock()
        self._reading = threading.RLock()
        self._counted = Counted(self.journal, folder, self._report, tell)
        self._reported: set[int] = set()

    def append(self, record: Record) -> None:
        """Keep a record: in the file when this returns, or waiting in memory where the file can't be written.

        Never raises for a file that is locked, full, read-only or not ours.
        """
        line = encode(record)
        with self._appending:
            if self._waiting:
                self._wait(line, record)
                self._flush()
                return
            try:
                span = self.journal.append([line])
            except (OSError, HistoryError) as error:
                self._wait(line, record)
                self._tell(_why(error, self.folder))
                return
            except BaseException:  # interrupted
                if not self.journal.wrote:
                    self._wait(line, record)
                raise
            if span is None:
                self._wait(line, record)
                return
            self._counted.written.append((*span, [record]))
            if self.journal.set_aside:
                self._tell_of_what_is_set_aside()

    def flush(self) -> None:
        """Try again to write what waits."""
        with self._appending:
            if self._waiting:
                self._flush(timeout=1.0)

    @property
    def waiting(self) -> int:
        """How many records wait in memory for the file."""
        return len(self._waiting)

    @exactly
    def view(self, look: Callable[[Totals], T]) -> T:
        """What `look` makes of the totals over every record: the file's, other processes' too, and those that wait.

        Only what is new in the file since the last time is read. `look` runs under a lock and must not keep the
        totals; `totals()` gives some to keep.
        """
        with self._reading:
            counted = self._counted
            own = next(iter(counted.written), None)
            counted.catch_up()
            self._tell_of_what_is_not_read(own)
            if not self._waiting_records:
                return look(counted.totals)
            with self._appending:  # what waits now is not in the file, and won't be while we hold this
                counted.catch_up()
                waiting = list(self._waiting_records)
            every = counted.totals.copied()
            for record in waiting:
                every.add(record)
            counted.amend(every, [Amendment.of(record) for record in waiting if record.kind == "amend"], waiting)
            return look(every)

    def end(self) -> int:
        """The offset behind the last record in the file."""
        with self._reading:
            self._counted.catch_up()
            return self._counted.offset

    def totals(self) -> Totals:
        """Totals over every record, as they are now."""
        return self.view(lambda totals: totals.copied())

    def records(self) -> Iterator[Record]:
        """Every record: the archive's first, then the file's, then those that wait; amendments are folded in.

        Raises:
            HistoryError: the archive can't be read.
        """
        with self._appending:
            waiting = {record.id: record for record in self._waiting_records}
        amended = self.amendments()
        for record in itertools.chain(self.archive.rows(), self.journal.records()):
            if waiting:
                waiting.pop(record.id, None)  # written since
            if record.kind not in _NO_ROWS:
                yield folded(record, amended.get(record.id)) if amended else record
        for record in waiting.values():
            if record.kind not in _NO_ROWS:
                yield folded(record, amended.get(record.id))

    def columns(self, wanted: AbstractSet[str] | None = None) -> Iterator[Columns]:
        """What `records` gives, some hundred records at once, by columns (see `nbtokens.history.columns`).

        Args:
            wanted: the fields that are asked for, besides kind, id and start; by default all. Few take half the time.

        Raises:
            HistoryError: the archive can't be read.
        """
        from nbtokens.history.columns import columns_of  # noqa: PLC0415 - numpy, not on a call's path
        from nbtokens.history.plain import columns_in  # noqa: PLC0415 - the same

        with self._appending:
            waiting = {record.id: record for record in self._waiting_records}
        amended = self.amendments()
        for columns in itertools.chain(columns_of(self.archive.rows()), columns_in(self.journal.path, wanted)):
            for written in columns.values("id") if waiting else ():
                waiting.pop(written, None)
            rows = columns.where("kind", _is_row)
            if rows:
                yield rows.fold(amended)
            del columns, rows  # before more are read
        for columns in columns_of(record for record in waiting.values() if _is_row(record.kind)):
            yield columns.fold(amended)

    def amendments(self) -> dict[str | None, Amendment]:
        """The last amendment of each record that has one."""
        with self._appending:
            waiting = [Amendment.of(record) for record in self._waiting_records if record.kind == "amend"]
        archived = map(Amendment.of, self.archive.rows(kinds=("amend",)))
        with self._reading:
            written = self._counted.amendments()
        return {one.ref: one for one in itertools.chain(archived, written, waiting)}

    def ids(self) -> set[str]:
        """The ids of all rows in the files, of whatever kind."""
        from nbtokens.history.plain import columns_in  # noqa: PLC0415 - numpy, not on a call's path

        ids = {record.id for record in self.archive.rows()}
        return ids.union(*(columns.values("id") for columns in columns_in(self.journal.path)))

    def write_summary(self, text: str) -> bool:
        """Replace USAGE_SUMMARY.md, atomically; False where the folder can't be written."""
        with contextlib.suppress(OSError):
            replace_file(self.folder / SUMMARY_NAME, text.encode())
            return True
        return False

    @exactly
    def checkpoint(self, *, force: bool = False) -> None:
        """Keep the totals beside the file, so that opening it again reads only what came after."""
        if self._keep_days is not None and not force:
            self._retain(self._keep_days, datetime.now(UTC))
        with self._reading:
            self._counted.checkpoint(force=force)

    def after_fork(self) -> None:
        """In a forked child: the parent's locks may be held for ever, and what waits is the parent's to write."""
        self._appending = threading.Lock()
        self._reading = threading.RLock()
        self._waiting.clear()
        self._waiting_records.clear()

    def _wait(self, line: bytes, record: Record) -> None:
        self._waiting.append(line)
        self._waiting_records.append(record)

    def _flush(self, timeout: float = 0.05) -> None:
        try:
            span = self.journal.append(list(self._waiting), timeout)
        except (OSError, HistoryError) as error:
            self._tell(_why(error, self.folder))
            return
        except BaseException:  # interrupted
            if self.journal.wrote:
                self._waiting.clear()
                self._waiting_records.clear()
            raise
        if span is None:
            return
        self._counted.written.append((*span, list(self._waiting_records)))
        self._waiting.clear()
        self._waiting_records.clear()
        if self.journal.set_aside:
            self._tell_of_what_is_set_aside()

    def _tell_of_what_is_set_aside(self) -> None:
        while self.journal.set_aside:
            aside = self.journal.set_aside.pop()
            self._tell(
                f"The end of {self.journal.path} was cut off, as by a crash. What could not be read is kept in "
                f"{aside.name} beside it; every whole record is still there."
            )

    def _tell_of_what_is_not_read(self, own: tuple[int, int, list[Record]] | None) -> None:
        """Say what the figures leave out.

        Args:
            own: records of ours that the file held before it was read, and where.
        """
        offset = self._counted.offset
        if own is not None and own[1] > offset and self.journal.ends_at(own[1], encode(own[2][-1])):
            self._tell(
                f"{self.journal.path} goes on behind its closing bracket, as after a merge; nothing there counts. "
                "`nbtokens verify --repair` writes it anew, with all of its records."
            )
        elif not offset and not self._waiting and self.journal.size():  # else it was told that they wait
            why = self.journal.why_unreadable()
            if why is not None:
                self._tell(f"{self.journal.path} can't be read ({why}); the figures leave it out.")

    def _retain(self, days: int, now: datetime) -> None:
        """Once a day, replace what is older by its sums."""
        if self._retained_on == now.date():
            return
        self._retained_on = now.date()
        from nbtokens.history import upkeep  # noqa: PLC0415 - only where rows are not kept for ever

        try:
            if upkeep.is_due(self, days, now):
                upkeep.retain(self, days, now)
        except (OSError, HistoryError) as error:
            self._tell(f"Rows older than {days} days could not be replaced by their sums: {error}")

    def _report(self, bad: Bad) -> None:
        """Say once which line of the file is no record."""
        if bad.start in self._reported or not self.journal.is_history():
            return
        self._reported.add(bad.start)
        if len(self._reported) == 1:
            self._tell(
                f"Line {self.journal.line_number(bad.start)} of {self.journal.path} is no record ({bad.why}). It stays "
                "there and counts nowhere; `nbtokens verify` lists all such lines."
            )


_NO_ROWS: Final = frozenset({"amend", "rewrite"})


def _is_row(kind: str) -> bool:
    return kind not in _NO_ROWS


def _why(error: OSError | HistoryError, folder: Path) -> str:
    if isinstance(error, HistoryError):
        return str(error)
    if isinstance(error, IsADirectoryError):
        return f"{error.filename} is a folder, not a file. Move it away; until then calls are kept in memory only."
    return (
        f"The usage history in {folder} can't be written ({error.strerror or error}). Calls go on and are counted "
        "in memory; make the folder writable, or set NBTOKENS_DIR to one that is."
    )
