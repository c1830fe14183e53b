"""The ledger's file: a JSON array with one record on each line, valid after every append, at the same cost always."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from nbtokens.errors import HistoryError
from nbtokens.history.file_lock import FileLock
from nbtokens.record import Record, decode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from _typeshed import ReadableBuffer as Buffer

NAME: Final = "usage_history.json"
_HEAD: Final = b"[\n"
_BETWEEN: Final = b",\n"
_TAIL: Final = b"\n]\n"
_EMPTY: Final = b"[\n]\n"
_LOOK_BACK: Final = 1 << 20
_OPEN_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Span(NamedTuple):
    """The bytes of the file that some records take up: from behind the record before them to behind the last."""

    start: int
    end: int


class Line(NamedTuple):
    """One record read from the file, and the offset of the byte behind it."""

    record: Record
    end: int


class Journal:
    """Appends records to the file and reads them back. Any number of processes may share it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._folder = folder
        self._name = os.fspath(self.path)
        self._lock = FileLock(folder / "usage_history.lock")
        self._descriptor: int | None = None
        self._identity: tuple[int, int] | None = None
        self._left_at: int | None = None
        self.set_aside: list[Path] = []

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
        try:
            return self._append(lines, timeout)
        except FileNotFoundError:  # the first call in this project, or somebody has removed the folder
            _make_folder(self._folder)
            self._lock.close()
            return self._append(lines, timeout)

    def read(self, offset: int = 0) -> Iterator[Line]:
        """The records that stand behind `offset`, in the order of the file. Lines that are no record are passed over.

        No lock is taken: a line that is being written in this moment is left for the next time.
        """
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            file.seek(offset)
            position = offset
            for raw in file:
                start, position = position, position + len(raw)
                text = raw.strip(b" \t\r\n,")
                if text[:1] != b"{":
                    continue
                try:
                    record = decode(text)
                except msgspec.MsgspecError:
                    continue
                yield Line(record, start + raw.rfind(b"}") + 1)

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

    def _append(self, lines: list[bytes], timeout: float) -> Span | None:
        if not self._lock.acquire(timeout):
            return None
        try:
            descriptor, size = self._open()
            at, before = self._end_of_records(descriptor, size)
            records = before + _BETWEEN.join(lines)
            self._write(descriptor, records + _TAIL, at, size)
            self._left_at = at + len(records) + len(_TAIL)
        finally:
            self._lock.release()
        return Span(at, at + len(records))

    def _open(self) -> tuple[int, int]:
        """The descriptor of the file that has the name now, and its size; a rewrite replaces the file."""
        try:
            status = os.stat(self._name)  # noqa: PTH116 - a third of the time of Path.stat, on every call's path
        except FileNotFoundError:
            status = None
        if status is None or (status.st_dev, status.st_ino) != self._identity:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None
            self._left_at = None
            self._descriptor = os.open(self.path, _OPEN_FLAGS, 0o600)
            status = os.fstat(self._descriptor)
            self._identity = (status.st_dev, status.st_ino)
        assert self._descriptor is not None
        return self._descriptor, status.st_size

    def _end_of_records(self, descriptor: int, size: int) -> tuple[int, bytes]:
        """Where the next record goes, and what goes before it."""
        if size == self._left_at:  # nobody has written since we did
            return size - len(_TAIL), _BETWEEN
        if size == 0:
            return 0, _HEAD
        if size > len(_EMPTY) and _read_at(descriptor, len(_TAIL), size - len(_TAIL)) == _TAIL:
            return size - len(_TAIL), _BETWEEN
        return self._find_end(descriptor, size)

    def _find_end(self, descriptor: int, size: int) -> tuple[int, bytes]:
        """The same for a file whose end is not as we left it: edited by hand, or torn by a crash."""
        head = _read_at(descriptor, 64, 0).removeprefix(b"\xef\xbb\xbf").lstrip()
        if not head.startswith(b"["):
            raise HistoryError(
                f"{self.path} is not a usage history (it starts with {head[:20]!r}) and was left alone. "
                "Move it away, or set NBTOKENS_DIR to another folder; until then calls are kept in memory only."
            )
        start = max(size - _LOOK_BACK, 0)
        end = _read_at(descriptor, size - start, start)
        closed = end.rstrip()
        if closed.endswith(b"]"):
            closed = closed[:-1].rstrip(b" \t\r\n,")
            if closed.endswith(b"}") and b'"kind"' not in end:
                raise HistoryError(
                    f"{self.path} holds a JSON array, but not of records, and was left alone. "
                    "Move it away, or set NBTOKENS_DIR to another folder; until then calls are kept in memory only."
                )
            if closed.endswith((b"}", b"[")):
                return start + len(closed), b"\n" if closed.endswith(b"[") else _BETWEEN
        return self._mend(descriptor, end, start)

    def _mend(self, descriptor: int, end: bytes, start: int) -> tuple[int, bytes]:
        """Set aside what stands behind the last whole record: a write that a crash cut off."""
        kept = _whole_records(end)
        if kept is None:
            raise HistoryError(
                f"{self.path} has no whole record in its last {len(end):,} bytes and was left alone. "
                "Move it away and start a new one; until then calls are kept in memory only."
            )
        torn = end[kept:].strip(b" \t\r\n,]")
        if torn:
            aside = self.path.with_name(f"usage_history.torn-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.txt")
            aside.write_bytes(torn + b"\n")
            self.set_aside.append(aside)
        os.ftruncate(descriptor, start + kept)
        only_bracket = end[:kept].strip() == b"[" and start == 0
        return start + kept, b"\n" if only_bracket else _BETWEEN

    @staticmethod
    def _write(descriptor: int, data: bytes, at: int, size: int) -> None:
        try:
            written = _write_at(descriptor, data, at)
            while written < len(data):
                written += _write_at(descriptor, data[written:], at + written)
        except BaseException:
            if at:  # a full disk: what stood there fits
                with contextlib.suppress(OSError):
                    _write_at(descriptor, _TAIL, at)
                    os.ftruncate(descriptor, at + len(_TAIL))
            else:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, size)
            raise


def _whole_records(end: bytes) -> int | None:
    """The length of the part of `end` that holds whole records only, without what separates them."""
    cut = len(end)
    while True:
        line_start = end.rfind(b"\n", 0, cut) + 1
        text = end[line_start:cut].strip(b" \t\r,")
        if text.startswith(b"{"):
            try:
                decode(text)
            except msgspec.MsgspecError:
                pass
            else:
                return line_start + end[line_start:cut].rfind(b"}") + 1
        elif text == b"[":
            return line_start + end[line_start:cut].find(b"[") + 1
        if line_start == 0:
            return None
        cut = line_start - 1


def _make_folder(folder: Path) -> None:
    """Make the ledger's folder, and tell git to leave out what is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text(
            "# Written by nbtokens. The ledger grows with every call and is your own; to keep it in git all the same,\n"
            "# add the lines !usage_history.json and !USAGE_SUMMARY.md. Never commit fingerprint.key.\n"
            "*\n!.gitignore\n!README.md\n",
            encoding="utf-8",
        )


if hasattr(os, "pread"):
    _read_at, _write_at = os.pread, os.pwrite

else:  # Windows; the lock keeps others out

    def _read_at(descriptor: int, length: int, at: int, /) -> bytes:
        os.lseek(descriptor, at, os.SEEK_SET)
        return os.read(descriptor, length)

    def _write_at(descriptor: int, data: Buffer, at: int, /) -> int:
        os.lseek(descriptor, at, os.SEEK_SET)
        return os.write(descriptor, data)
