"""The thread that does in the background what no call should wait for: what was put off, and the summary."""

from __future__ import annotations

import contextlib
import time
from queue import Empty, SimpleQueue
from threading import Event, Lock, RLock, Thread
from typing import TYPE_CHECKING, Any, Final, Protocol

from nbtokens.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.exchange import Exchange
    from nbtokens.record import Record

    Deferred = Exchange | Record | Callable[[], None]

_SUMMARY_EVERY: Final = 0.5
_PRICES_CHECK: Final = 0.2


class Chores(Protocol):
    """What there is to do; the writer only knows when."""

    @property
    def awaits_prices(self) -> bool:
        """Whether calls ended before the price data was there."""

    def take(self, item: Deferred) -> None:
        """Take in an exchange or a record that was put off, or do what was."""

    def amend_late_prices(self) -> None:
        """Give those calls their prices, if the data is there now."""

    def write_up(self) -> None:
        """Bring the summary up to date."""


class Writer:
    """Wakes up for what is put off, and for a summary once for many calls."""

    def __init__(self, chores: Chores) -> None:
        self._chores = chores
        self._forget()

    def _forget(self) -> None:
        self._starting, self._writing, self._taking = Lock(), Lock(), RLock()
        self._held: list[Any] = []
        self._deferred: SimpleQueue[Deferred] = SimpleQueue()
        self._woken: SimpleQueue[Event | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._dirty = False
        self._written_at = 0.0

    def before_fork(self, seconds: float) -> None:
        """Let what the thread is doing come to its end, and let it begin nothing new until `after_fork_in_parent`.

        In the middle of an import it would hold that module's lock, in the child for ever.

        Args:
            seconds: how long to wait at most.
        """
        for lock in (self._taking, self._writing):
            if lock.acquire(timeout=seconds):
                self._held.append(lock)

    def after_fork_in_parent(self) -> None:
        """The fork is done: go on."""
        while self._held:
            self._held.pop().release()

    def after_fork(self) -> None:
        """In a forked child: no thread of the parent's lives here, and its locks may be held for ever."""
        self._forget()

    def start(self) -> None:
        """Start the thread, if it does not run."""
        with self._starting:
            if self._thread is None:
                self._thread = Thread(target=self._run, name="nbtokens-writer", daemon=True)
                self._thread.start()

    def put_off(self, item: Deferred) -> None:
        """Have something done on the thread. A SimpleQueue may be used at any moment, even inside of a destructor."""
        self._deferred.put(item)
        self._woken.put(None)

    def wake(self) -> None:
        """Have the summary brought up to date; the thread is woken once for many calls."""
        if self._thread is None:
            self.start()
        if not self._dirty:
            self._dirty = True
            self._woken.put(None)

    def wait(self, seconds: float) -> bool:
        """Wait until everything is done that there is to do now, at most so long; True if it is."""
        if self._thread is None:
            return True
        done = Event()
        self._woken.put(done)
        return done.wait(seconds)

    def take_deferred(self) -> None:
        """Do what was put off, on this thread."""
        with self._taking, contextlib.suppress(Empty):
            while True:
                item = self._deferred.get_nowait()
                with guarded:
                    self._chores.take(item)

    def write_up(self) -> None:
        """Bring the summary up to date now, if anything has come since the last time."""
        with self._writing:
            if self._dirty:
                self._dirty = False  # before reading: what comes from here on makes it dirty again
                self._written_at = time.monotonic()
                self._chores.write_up()

    def _run(self) -> None:
        while True:
            done = None
            with contextlib.suppress(Empty):
                done = self._woken.get(timeout=_PRICES_CHECK if self._chores.awaits_prices else None)
            with guarded:
                self.take_deferred()
                self._chores.amend_late_prices()
                if self._dirty:
                    time.sleep(max(self._written_at + _SUMMARY_EVERY - time.monotonic(), 0))
                    self.write_up()
            if done is not None:  # somebody waits until everything before is done
                done.set()
