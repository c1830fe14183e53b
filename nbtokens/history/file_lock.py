"""A file that is its own lock between processes; it dies with its process, so nothing stale can block the ledger."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_PAUSE: Final = 0.0005
_OPEN_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

if sys.platform == "win32":
    import msvcrt

    # Locked bytes can't be read there; these lie where no file reaches.
    _FAR_BEHIND: Final = 1 << 62

    def _try_lock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR_BEHIND, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR_BEHIND, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock

    _LOCK: Final = LOCK_EX | LOCK_NB

    def _try_lock(descriptor: int) -> None:
        flock(descriptor, _LOCK)

    def _unlock(descriptor: int) -> None:
        flock(descriptor, LOCK_UN)


class _Forks:
    """How often this process was forked off another; asking for its id instead is a system call each time."""

    count = 0


def _count_fork() -> None:
    _Forks.count += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_fork)


class LockedFile:
    """A file that is open for good, and locked while it is written; for threads and processes.

    The operating system holds the lock (flock; on network file systems as far as these support it) and drops it when
    the process ends, in whatever way. It belongs to the file, not to its name: who has it looks whether the name
    still leads to this file, and takes the other one where somebody has replaced it.

    Attributes:
        descriptor: the open file; -1 while there is none.

    Args:
        path: the file; it is made where it is missing.
        make_folder: makes the folder that it lies in.
        opened: looks at a file that was opened, under the lock; what it raises is raised by `acquire`.
    """

    def __init__(self, path: Path, make_folder: Callable[[], None], opened: Callable[[int], None]) -> None:
        self._name = os.fspath(path)
        self._make_folder = make_folder
        self._opened = opened
        self._threads = threading.Lock()
        self._forks = _Forks.count
        self._inode = self._device = -1
        self.descriptor = -1

    def __del__(self) -> None:
        self.close()

    def acquire(self, timeout: float) -> os.stat_result | None:
        """Take the lock; None if that takes longer than `timeout` seconds.

        Returns:
            The file's status now that nobody else writes.

        Raises:
            OSError: the file can't be opened.
        """
        if self._forks != _Forks.count:
            self._forget_parent()
        if not self._threads.acquire(False) and not self._threads.acquire(timeout=max(timeout, 0)):  # noqa: FBT003 - fast
            return None
        try:
            deadline = 0.0
            while True:
                if self.descriptor < 0:
                    self._open()
                try:
                    _try_lock(self.descriptor)
                except (BlockingIOError, PermissionError):
                    now = time.monotonic()
                    deadline = deadline or now + timeout
                    if now >= deadline:
                        break
                    time.sleep(_PAUSE)
                    continue
                status = self._status()
                if status is not None:
                    return status
                self.close()  # somebody has replaced or removed the file
        except BaseException:
            self._threads.release()
            raise
        self._threads.release()
        return None

    def release(self) -> None:
        """Give the lock back. Never raises: what was written under it is written."""
        try:
            if self.descriptor >= 0:
                _unlock(self.descriptor)
        except OSError:
            self.close()  # which gives it back, too
        finally:
            self._threads.release()

    def close(self) -> None:
        """Close the file, and with it the lock; the next `acquire` opens it anew."""
        if self.descriptor >= 0:
            descriptor, self.descriptor = self.descriptor, -1
            with suppress(OSError):  # closed all the same
                os.close(descriptor)

    def _status(self) -> os.stat_result | None:
        """The status of the file that has the name now; None if that is not the open one."""
        try:
            status = os.stat(self._name)  # noqa: PTH116 - a third of the time of Path.stat, on every call's path
        except FileNotFoundError:
            return None
        if status.st_ino == self._inode and status.st_dev == self._device:
            return status
        return status if self._inode < 0 and self._is_this(status) else None

    def _is_this(self, status: os.stat_result) -> bool:
        """Whether the file that was just opened has the name; a look at what is in it, once."""
        own = os.fstat(self.descriptor)
        if (own.st_ino, own.st_dev) != (status.st_ino, status.st_dev):
            return False
        try:
            self._opened(self.descriptor)
        except BaseException:
            self.close()
            raise
        self._inode, self._device = own.st_ino, own.st_dev
        return True

    def _open(self) -> None:
        self._inode = self._device = -1
        try:
            self.descriptor = os.open(self._name, _OPEN_FLAGS, 0o600)
        except FileNotFoundError:  # the first call here, or somebody has removed the folder
            self._make_folder()
            self.descriptor = os.open(self._name, _OPEN_FLAGS, 0o600)

    def _forget_parent(self) -> None:
        """After a fork: the parent's open file would share its lock with us, and its thread lock may be held."""
        self.close()
        self._threads = threading.Lock()
        self._forks = _Forks.count
