"""Sends the history's rows to the database. The file is the write-ahead log: what is in it is sent, once or more often.

A row has its place in the database by its id, so that sending it again changes nothing. A file that was written anew
is sent again from its beginning; what is in the database and in it no more is removed there.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import DataError, DBAPIError, StatementError

from nbtokens.errors import DatabaseAwayError, NbtokensError
from nbtokens.folder import make_folder
from nbtokens.history.archive import Archive, marker_of
from nbtokens.history.file_lock import LockedFile
from nbtokens.team import partitions, writing
from nbtokens.team.database import open_database
from nbtokens.team.progress import Progress, witness_of
from nbtokens.team.schema import bring_up_to_date
from nbtokens.team.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from nbtokens.history.journal import Journal
    from nbtokens.record import Record
    from nbtokens.shared_budgets import Known

LOCK_NAME: Final = "shipping.lock"
BATCH: Final = 1000
"""After a failure it is less for a while: a line may be so slow, or break so soon, that many never arrive together."""
_LESS: Final = 10
_TOO_LONG: Final = "54000"
"""PostgreSQL's name for what is beyond a limit of its own, as a long `id` in an index."""


class Shipper:
    """Sends one history to one database. Of many processes that share the history, one at a time does it.

    Args:
        journal: the history's file.
        folder: the ledger's folder.
        url: the database.
        root: what an SQLite file's path is relative to.
        keep_days: rows that are older are not kept in the database; their sums are.
        known: learns meanwhile what the team's budgets are.

    Raises:
        ConfigError: the URL is none, or its driver is missing.
    """

    def __init__(  # noqa: PLR0913 - where from, where to, for how long
        self,
        journal: Journal,
        folder: Path,
        url: str,
        root: Path,
        *,
        keep_days: int | None = None,
        known: Known | None = None,
    ) -> None:
        self._journal, self._folder, self._url, self._keep_days = journal, folder, url, keep_days
        self._engine: Engine = open_database(url, root, writing=True)
        self._watch = None if known is None else Watch(self._engine, known)
        self._lock = LockedFile(folder / LOCK_NAME, lambda: make_folder(folder), lambda _: None)
        self._is_ready = self._needs_partitions = False
        self._months: set[tuple[int, int]] = set()
        self._retained_on = ""
        self._oldest: datetime | None = None
        self._batch = BATCH

    @property
    def engine(self) -> Engine:
        """The database."""
        return self._engine

    def ship(self) -> bool:
        """Send everything that has not been sent; False where another process is at it.

        Raises:
            DatabaseAwayError: the database can't be reached. What was sent stays sent.
            NbtokensError: it will not take it.
        """
        mine = self._journal.identity() is not None and self._lock.acquire(0) is not None
        if mine:
            try:
                self._ship()
            finally:
                self._lock.release()
        return mine

    def look(self) -> bool:
        """Ask for the budgets, if it is time, between batches too, of which there may be many; whether it was.

        Raises:
            NbtokensError: the database does not answer.
        """
        try:
            return self._watch is not None and self._watch.look()
        except Exception as error:
            raise NbtokensError(_why(error)) from error

    def rest(self) -> None:
        """Hang up for now: a server has not as many connections as there are kernels, and a fork may come."""
        self._engine.dispose()

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()
        self._lock.close()

    def _ship(self) -> None:
        progress = Progress.load(self._folder, self._url)
        try:
            self._make_ready(progress)
            while not self._send(progress):
                pass
            self._retain()
        except OSError:  # the folder can't be written
            raise
        except Exception as error:
            self._is_ready = False
            self._batch = max(self._batch // _LESS, 1)
            progress.problem = _why(error)
            progress.save(self._folder)
            raise (DatabaseAwayError if _is_away(error) else NbtokensError)(progress.problem) from error
        if progress.problem is not None:
            progress.problem = None
            progress.save(self._folder)

    def _make_ready(self, progress: Progress) -> None:
        if not self._is_ready:
            with self._engine.begin() as connection:
                bring_up_to_date(connection)
                self._needs_partitions = partitions.needs_partitions(connection)
                self._oldest = self._oldest_kept(connection)
                if progress.last is not None and writing.has_lost(connection, *progress.last):
                    progress.offset, progress.last = 0, None
            self._months.clear()
            self._is_ready = True

    def _send(self, progress: Progress) -> bool:
        """Send what is new; False where the file was written anew meanwhile."""
        identity = self._journal.identity()
        if not progress.fits(self._journal):
            progress.begin_anew(marker_of(self._journal.path))
            with self._engine.begin() as connection:
                self._oldest = self._oldest_kept(connection)
        anew = progress.offset == 0
        if anew and not self._send_archive(progress):
            return True
        lines = self._journal.read(progress.offset)
        while lot := list(islice(lines, self._batch)):
            new, refused = self._write([line.record for line in lot], progress)
            end = lot[-1].end
            witness = witness_of(self._journal, end)
            if self._journal.identity() != identity:
                return False
            progress.offset, progress.witness = end, witness
            progress.shipped += new
            progress.refused += refused
            progress.shipped_at = datetime.now(UTC).isoformat(timespec="seconds")
            progress.save(self._folder)
            self._batch = min(2 * self._batch, BATCH)
            self.look()
        self._reconcile(progress)
        return True

    def _send_archive(self, progress: Progress) -> bool:
        """Send the rows that were moved out of the file before they had been sent."""
        rows = Archive(self._folder).rows()
        while lot := list(islice(rows, self._batch)):
            progress.shipped += self._write(lot, progress)[0]
        return True

    def _reconcile(self, progress: Progress) -> None:
        """Once a file that was written anew is there as a whole: remove what it lost."""
        marker = marker_of(self._journal.path)
        if marker == progress.marker and not progress.claim:
            return
        if progress.marker is not None and marker:
            with self._engine.begin() as connection:
                writing.remove_others(connection, progress.ledger, self._ids())
        if marker_of(self._journal.path) == marker:
            progress.marker, progress.claim = marker, False
            progress.save(self._folder)

    def _ids(self) -> Iterator[str]:
        records: Iterator[Record] = chain(Archive(self._folder).rows(), (line.record for line in self._journal.read()))
        return (record.id for record in records)

    def _write(self, records: Sequence[Record], progress: Progress) -> tuple[int, int]:
        """Write a batch; returns how many rows were new, and how many are refused by themselves."""
        if self._oldest is not None:
            records = [record for record in records if record.started_at >= self._oldest]
        try:
            self._make_partitions(records)
            with self._engine.begin() as connection:
                new = writing.write(connection, progress.ledger, records, claim=progress.claim)
        except (StatementError, ValueError) as error:
            if not _is_of_the_values(error):
                raise
            if len(records) == 1:
                plain = writing.plain(records[0])
                return (0, 1) if plain == records[0] else self._write([plain], progress)
        else:
            kept = (one for one in reversed(records) if one.kind != "rewrite")
            progress.last = next(((one.id, one.started_at) for one in kept), progress.last)
            return new, 0
        middle = len(records) // 2
        first, second = self._write(records[:middle], progress), self._write(records[middle:], progress)
        return first[0] + second[0], first[1] + second[1]

    def _oldest_kept(self, connection: Connection) -> datetime | None:
        """Before which moment rows are not sent: they would be dropped here, or were by anybody, and count already."""
        known = partitions.kept_since(connection)
        if self._keep_days is None:
            return known
        own = partitions.oldest_kept(connection, self._keep_days)
        return own if known is None else max(own, known)

    def _make_partitions(self, records: Sequence[Record]) -> None:
        months = {(record.started_at.year, record.started_at.month) for record in records} - self._months
        if months and self._needs_partitions:
            with self._engine.begin() as connection:
                partitions.make_partitions(connection, months)
            self._months |= months

    def _retain(self) -> None:
        """Once a day, drop what is older than the database keeps."""
        today = datetime.now(UTC).date().isoformat()
        if self._keep_days is None or self._retained_on == today:
            return
        self._retained_on = today  # also where it fails: rows are not to wait for it
        self._months.clear()
        with self._engine.begin() as connection:
            partitions.drop_before(connection, partitions.oldest_kept(connection, self._keep_days))


def _is_of_the_values(error: Exception) -> bool:
    """Whether the database says that a value can't be what it is, which no later attempt will change."""
    if not isinstance(error, DBAPIError):
        return True
    return isinstance(error, DataError) or getattr(error.orig, "sqlstate", None) == _TOO_LONG


def _is_away(error: Exception) -> bool:
    """Whether the server could not be reached, or went away: what was to be done has no part in it."""
    return isinstance(error, DBAPIError) and (error.connection_invalidated or error.statement is None)


def _why(error: Exception) -> str:
    if isinstance(error, DBAPIError):
        return " ".join(str(error.orig).split())
    return " ".join(str(error).split())
