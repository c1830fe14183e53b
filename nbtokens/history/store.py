"""The history of one project: its file, the records that wait for it, and totals that are kept up to date."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import tempfile
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from nbtokens.errors import HistoryError
from nbtokens.history.journal import Journal
from nbtokens.history.totals import Totals, TotalsData
from nbtokens.record import Record, encode, folded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

SUMMARY_NAME: Final = "USAGE_SUMMARY.md"
CHECKPOINT_NAME: Final = "totals_checkpoint.json"
_CHECKPOINT_VERSION: Final = 1
_CHECKPOINT_EVERY: Final = 2_000
_WITNESS: Final = 256
_MOST_WAITING: Final = 100_000
_MOST_WRITTEN: Final = 1_000


class _Checkpoint(msgspec.Struct):
    version: int
    offset: int
    witness: str
    totals: TotalsData


class Store:
    """Keeps records, and answers for all that were ever kept.

    Args:
        folder: the ledger's folder; it is made when the first record comes.
        tell: called with a sentence for the user when something is wrong that does not stop a call.
    """

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        self.folder = folder
        self.journal = Journal(folder)
        self._tell = tell
        self._waiting: deque[bytes] = deque(maxlen=_MOST_WAITING)
        self._waiting_records: deque[Record] = deque(maxlen=_MOST_WAITING)
        self._appending = threading.Lock()
        self._reading = threading.RLock()
        self._totals = Totals()
        self._offset = 0
        self._last_bytes = b""
        self._identity: tuple[int, int] | None = None
        self._since_checkpoint = 0
        self._written: deque[tuple[int, int, list[Record]]] = deque(maxlen=_MOST_WRITTEN)

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
            except BaseException:  # interrupted; nothing was written
                self._wait(line, record)
                raise
            if span is None:
                self._wait(line, record)
                return
            self._written.append((*span, [record]))
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

    def view(self, look: Callable[[Totals], T]) -> T:
        """What `look` makes of the totals over every record: the file's, other processes' too, and those that wait.

        Only what is new in the file since the last time is read. `look` runs under a lock and must not keep the
        totals; `totals()` gives some to keep.
        """
        with self._reading:
            self._catch_up()
            if not self._waiting_records:
                return look(self._totals)
            with self._appending:  # what waits now is not in the file, and won't be while we hold this
                self._catch_up()
                waiting = list(self._waiting_records)
            every = self._totals + Totals()
            for record in waiting:
                if record.kind == "amend":
                    self._amend(every, record)
                else:
                    every.add(record)
            return look(every)

    def totals(self) -> Totals:
        """Totals over every record, as they are now."""
        return self.view(lambda totals: totals + Totals())

    def records(self, offset: int = 0) -> Iterator[Record]:
        """Every record, the file's first, then those that wait; amendments are folded in."""
        with self._appending:
            waiting = {record.id: record for record in self._waiting_records}
        amended = {
            record.ref: record
            for record in (*(line.record for line in self.journal.read(offset)), *waiting.values())
            if record.kind == "amend"
        }
        for line in self.journal.read(offset):
            record = line.record
            waiting.pop(record.id, None)  # written since
            if record.kind != "amend":
                yield folded(record, amended.get(record.id))
        for record in waiting.values():
            if record.kind != "amend":
                yield folded(record, amended.get(record.id))

    def write_summary(self, text: str) -> None:
        """Replace USAGE_SUMMARY.md, atomically. A folder that can't be written is passed over."""
        with contextlib.suppress(OSError):
            _replace(self.folder / SUMMARY_NAME, text.encode())

    def checkpoint(self, *, force: bool = False) -> None:
        """Keep the totals beside the file, so that opening it again reads only what came after."""
        with self._reading:
            if self._since_checkpoint < (1 if force else _CHECKPOINT_EVERY):
                return
            kept = _Checkpoint(_CHECKPOINT_VERSION, self._offset, self._witness(self._offset), self._totals.to_plain())
            with contextlib.suppress(OSError):
                _replace(self.folder / CHECKPOINT_NAME, _encoder.encode(kept))
                self._since_checkpoint = 0

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
        if span is None:
            return
        self._written.append((*span, list(self._waiting_records)))
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

    def _catch_up(self) -> None:
        identity = self.journal.identity()
        if identity != self._identity or self.journal.bytes_before(self._offset, _WITNESS) != self._last_bytes:
            self._start_over(identity)
        before = self._offset
        self._count_own()
        for record, end in self.journal.read(self._offset):
            self._offset = end
            self._count(record)
        if self._offset != before or not before:
            self._last_bytes = self.journal.bytes_before(self._offset, _WITNESS)

    def _count_own(self) -> None:
        """Count what this process has written right behind what is counted already, without reading it back."""
        while self._written:
            start, end, records = self._written[0]
            if start > self._offset:  # another process has written in between: the file is read
                return
            self._written.popleft()
            if start == self._offset:
                self._offset = end
                for record in records:
                    self._count(record)

    def _count(self, record: Record) -> None:
        self._since_checkpoint += 1
        if record.kind == "amend":
            self._amend(self._totals, record)
        else:
            self._totals.add(record)

    def _start_over(self, identity: tuple[int, int] | None) -> None:
        """Another file, or a shorter one, has the name now: believe a checkpoint that fits it, else read it all."""
        self._identity = identity
        self._totals, self._offset, self._last_bytes = Totals(), 0, b""
        self._written.clear()
        try:
            kept = _decoder.decode((self.folder / CHECKPOINT_NAME).read_bytes())
        except (OSError, msgspec.MsgspecError):
            return
        if kept.version == _CHECKPOINT_VERSION and kept.offset > 0 and kept.witness == self._witness(kept.offset):
            self._totals, self._offset = Totals.from_plain(kept.totals), kept.offset
            self._last_bytes = self.journal.bytes_before(self._offset, _WITNESS)

    def _witness(self, offset: int) -> str:
        """A hash of the file's first bytes and of those before `offset`: another history has others."""
        head = self.journal.bytes_before(min(_WITNESS, offset), _WITNESS)
        return hashlib.blake2b(head + self.journal.bytes_before(offset, _WITNESS), digest_size=16).hexdigest()

    def _amend(self, totals: Totals, amendment: Record) -> None:
        """Find the record that is amended, as it read until now, and count it anew."""
        before = None
        for record in itertools.chain((line.record for line in self.journal.read()), list(self._waiting_records)):
            if record.id == amendment.id:
                break
            if record.id == amendment.ref:
                before = record
            elif before is not None and record.ref == amendment.ref and record.kind == "amend":
                before = folded(before, record)
        if before is not None:
            totals.amend(before, folded(before, amendment))


_encoder: Final = msgspec.json.Encoder(decimal_format="number")
_decoder: Final = msgspec.json.Decoder(_Checkpoint)


def _why(error: OSError | HistoryError, folder: Path) -> str:
    if isinstance(error, HistoryError):
        return str(error)
    return (
        f"The usage history in {folder} can't be written ({error.strerror or error}). Calls go on and are counted "
        "in memory; make the folder writable, or set NBTOKENS_DIR to one that is."
    )


def _replace(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
