"""A lock between processes that dies with its process, so that nothing stale can ever block the ledger."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_PAUSE: Final = 0.0005

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


class FileLock:
    """An exclusive lock on a file, for threads and processes.

    The operating system holds it (flock; on network file systems as far as these support it) and drops it when
    the process ends, in whatever way. The file stays open between uses, which makes taking it a matter of
    microseconds.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = threading.Lock()
        self._descriptor: int | None = None
        self._process = os.getpid()

    def acquire(self, timeout: float) -> bool:
        """Take the lock; False if that takes longer than `timeout` seconds.

        Raises:
            OSError: the lock's file can't be opened.
        """
        if self._process != os.getpid():
            self._forget_parent()
        if not self._threads.acquire(blocking=False) and not self._threads.acquire(timeout=max(timeout, 0)):
            return False
        try:
            deadline = time.monotonic() + timeout
            while True:
                descriptor = self._open() if self._descriptor is None else self._descriptor
                if not self._try_until(descriptor, deadline):
                    break
                if os.fstat(descriptor).st_nlink:
                    return True
                self.close()  # somebody has removed the file: others lock another one by now
        except BaseException:
            self._threads.release()
            raise
        self._threads.release()
        return False

    def release(self) -> None:
        """Give the lock back."""
        try:
            if self._descriptor is not None:
                _unlock(self._descriptor)
        finally:
            self._threads.release()

    def close(self) -> None:
        """Close the lock's file; the next `acquire` opens, or makes, it anew."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @staticmethod
    def _try_until(descriptor: int, deadline: float) -> bool:
        """Ask for the lock again and again, until it is ours or the time is over."""
        while True:
            try:
                _try_lock(descriptor)
            except (BlockingIOError, PermissionError):
                if time.monotonic() >= deadline:
                    return False
                time.sleep(_PAUSE)
            else:
                return True

    def _open(self) -> int:
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        return self._descriptor

    def _forget_parent(self) -> None:
        """After a fork: the parent's open file would share its lock with us, and its thread lock may be held."""
        self.close()
        self._threads = threading.Lock()
        self._process = os.getpid()
