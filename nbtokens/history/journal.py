"""The ledger's file: a JSON array with one record on each line, valid after every append, at the same cost always."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from typing import TYPE_CHECKING, BinaryIO, Final, TypeAlias

from nbtokens.errors import HistoryError
from nbtokens.folder import make_folder
from nbtokens.history.blocks import read_blocks
from nbtokens.history.file_lock import LockedFile
from nbtokens.history.layout import (
    BETWEEN,
    HEAD_BYTES,
    Bad,
    Line,
    find_end,
    is_ours,
    read_records,
)
from nbtokens.record import Amendment, decode_array

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from _typeshed import ReadableBuffer as Buffer

    from nbtokens.record import Record

NAME: Final = "usage_history.json"
_HEAD: Final = b"[\n"
_TAIL: Final = b"\n]\n"
_RECORD_TAIL: Final = b"}" + _TAIL
_OPEN_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


Span: TypeAlias = tuple[int, int]
"""The bytes of the file that some records take up: from behind the record before them to behind the last."""


class Journal:
    """Appends records to the file and reads them back. Any number of processes may share it.

    Args:
        folder: where the file lies.
        durable: bring each append to the disk itself, so that not even a power cut can take it back.
    """

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self.path = folder / NAME
        self._folder = folder
        self._durable = durable
        self._file = LockedFile(self.path, lambda: make_folder(folder), self._opened)
        self._left_at = -1
        self.set_aside: list[Path] = []
        self.wrote = False
        """Whether the last `append` has written its records, though it may have been interrupted behind that."""

    def append(self, lines: list[bytes], timeout: float = 0.05) -> Span | None:
        """Put records, already encoded, at the end of the file: one write over its closing bracket.

        Args:
            lines: the records, each one line of JSON.
            timeout: how long to wait for the lock, in seconds.

        Returns:
            Where they stand; None if somebody else held the lock all that time. Nothing was written then.

        Raises:
            OSError: the file can't be written. It is left as it was.
            HistoryError: the file is there, but is not a usage history. It is not touched.
        """
        self.wrote = False
        file = self._file
        status = file.acquire(timeout)
        if status is None:
            return None
        try:
            size = status.st_size
            if size == self._left_at:  # nobody has written since we did
                at, before = size - len(_TAIL), BETWEEN
            else:
                at, before = self._end_of_records(file.descriptor, size)
            data = before + BETWEEN.join(lines) + _TAIL
            try:
                if _write_at(file.descriptor, data, at) != len(data):
                    _write_rest(file.descriptor, data, at)
                if self._durable:
                    os.fsync(file.descriptor)
                self._left_at = at + len(data)
                self.wrote = True
            except BaseException:  # all or nothing, also where the user interrupts
                self._left_at, self.wrote = -1, False
                _undo(file.descriptor, at, size)
                raise
        finally:
            file.release()
        return at, self._left_at - len(_TAIL)

    def read(self, offset: int = 0, report: Callable[[Bad], None] | None = None) -> Iterator[Line]:
        """The records that stand behind `offset`, in the order of the file. What is no record is passed over.

        No lock is taken: a line that is being written in this moment is left for the next time.

        Args:
            offset: behind a record, or 0.
            report: told of each line that is no record.
        """
        try:
            file = self.path.open("rb", buffering=0)
        except OSError:
            return
        with file:
            yield from read_records(file, offset, report)

    def records(self) -> Iterator[Record]:
        """All records, read many at once."""
        try:
            file = self.path.open("rb", buffering=0)
        except OSError:
            return
        with file:
            for block in read_blocks(file, 0, lambda _: None):
                records = decode_array(block.array)
                if records is None:
                    yield from (line.record for line in block.lines())
                else:
                    yield from records

    def amendments(self, offset: int = 0) -> Iterator[Amendment]:
        """What the rows of kind `amend` behind an offset say; of the others hardly any is read."""
        with contextlib.suppress(OSError), self.path.open("rb", buffering=0) as file:
            for block in read_blocks(file, offset, lambda _: None):
                if not block.array or b'"amend"' in block.array:
                    yield from (Amendment.of(line.record) for line in block.lines() if line.record.kind == "amend")

    def is_history(self) -> bool:
        """Whether the file is a usage history, or will be one with the first record."""
        try:
            with self.path.open("rb") as file:
                return is_ours(file.read(HEAD_BYTES))
        except FileNotFoundError:
            return True
        except OSError:
            return False

    def why_unreadable(self) -> str | None:
        """Why the file can't be opened; None where it can be, or where there is none."""
        try:
            with self.path.open("rb"):
                return None
        except FileNotFoundError:
            return None
        except OSError as error:
            return error.strerror

    def line_number(self, offset: int) -> int:
        """Which line of the file an offset is in, counted from 1."""
        with contextlib.suppress(OSError), self.path.open("rb") as file:
            return 1 + sum(part.count(b"\n") for part in _parts(file, offset))
        return 0

    @contextlib.contextmanager
    def locked(self, timeout: float = 10.0) -> Iterator[int]:
        """Keep all other writers out, to replace the file.

        Yields:
            The file's descriptor.

        Raises:
            HistoryError: somebody else holds the lock all that time, or the file is not ours.
            OSError: it can't be opened.
        """
        if self._file.acquire(timeout) is None:
            raise HistoryError(f"{self.path} was locked by another process for {timeout:g} s. Try again later.")
        try:
            yield self._file.descriptor
        finally:
            self._file.release()

    def bytes_before(self, offset: int, length: int) -> bytes:
        """The last `length` bytes before an offset, or as many as there are."""
        try:
            with self.path.open("rb") as file:
                file.seek(max(offset - length, 0))
                return file.read(min(length, offset))
        except OSError:
            return b""

    def ends_at(self, offset: int, line: bytes) -> bool:
        """Whether a line stands before an offset."""
        return self.bytes_before(offset, len(line)) == line

    def size(self) -> int:
        """The file's size in bytes; 0 where there is none."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def identity(self) -> tuple[int, int] | None:
        """What tells this file from another of the same name; None where there is none."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _opened(self, descriptor: int) -> None:
        self._left_at = -1
        if not is_ours(_read_at(descriptor, HEAD_BYTES, 0)):
            raise HistoryError(
                f"{self.path} is not a usage history and was left alone. Move it away, or set NBTOKENS_DIR to "
                "another folder; until then calls are kept in memory only."
            )

    def _end_of_records(self, descriptor: int, size: int) -> tuple[int, bytes]:
        """Where the next record goes, and what goes before it."""
        if size == 0:
            return 0, _HEAD
        if _read_at(descriptor, len(_RECORD_TAIL), max(size - len(_RECORD_TAIL), 0)) == _RECORD_TAIL:
            return size - len(_TAIL), BETWEEN
        return self._find_end(descriptor, size)

    def _find_end(self, descriptor: int, size: int) -> tuple[int, bytes]:
        """The same for a file whose end is not as we left it: edited by hand, or torn by a crash."""
        end = find_end(lambda length, at: _read_at(descriptor, length, at), size)
        if end is None:
            raise HistoryError(
                f"{self.path} has no whole record at its end and was left alone. Move it away; a new one is begun "
                "then, and until then calls are kept in memory only."
            )
        if end.torn:
            self.set_aside.append(set_aside(self._folder, end.torn))
        os.ftruncate(descriptor, end.at)
        return end.at, end.before


def _parts(file: BinaryIO, length: int) -> Iterator[bytes]:
    while length > 0:
        part = file.read(min(length, HEAD_BYTES))
        if not part:
            return
        length -= len(part)
        yield part


def _write_rest(descriptor: int, data: bytes, at: int) -> None:
    """Write again what was written in part only, so that a full disk says so."""
    written = 0
    while written < len(data):
        written += _write_at(descriptor, data[written:], at + written)


def _undo(descriptor: int, at: int, size: int) -> None:
    """Leave the file as it was before a write that failed. On a full disk, too, what stood there fits."""
    with contextlib.suppress(OSError):
        if at:
            _write_at(descriptor, _TAIL, at)
        os.ftruncate(descriptor, at + len(_TAIL) if at else size)


def set_aside(folder: Path, torn: bytes) -> Path:
    """Keep what can't be read in a file of its own."""
    stem = f"usage_history.torn-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}"
    for number in itertools.count():
        path = folder / f"{stem}{f'-{number}' if number else ''}.txt"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(descriptor, "wb") as file:
            file.write(torn + b"\n")
        break
    return path


if hasattr(os, "pread"):
    _read_at, _write_at = os.pread, os.pwrite

else:  # Windows; the lock keeps others out

    def _read_at(descriptor: int, length: int, at: int, /) -> bytes:
        os.lseek(descriptor, at, os.SEEK_SET)
        return os.read(descriptor, length)

    def _write_at(descriptor: int, data: Buffer, at: int, /) -> int:
        os.lseek(descriptor, at, os.SEEK_SET)
        return os.write(descriptor, data)
