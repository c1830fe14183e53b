"""Doing something soon after it is asked for, on a thread of its own, and not more often than wished."""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Final

from nbtokens.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    _Method = weakref.WeakMethod[Callable[[], None]]

_BETWEEN_LOOKS: Final = 1.0
NAME: Final = "nbtokens-live"
"""The name of the threads, for those who look at them."""


class Ticker:
    """Runs `update` whenever it was woken, however often, with a pause after each time.

    The thread ends with `close`, and when nobody holds the object any more whose method `update` is.

    Args:
        update: a bound method.
        pause: seconds between two updates.
        look: another one of the same object, which is run after each second without an update.
    """

    def __init__(self, update: Callable[[], None], pause: float, look: Callable[[], None] | None = None) -> None:
        self._asked = threading.Event()
        self._closed = threading.Event()
        self._process = os.getpid()
        methods = weakref.WeakMethod(update, self._end), None if look is None else weakref.WeakMethod(look)
        arguments = (*methods, self._asked, self._closed, pause)
        threading.Thread(target=_run, args=arguments, name=NAME, daemon=True).start()

    def wake(self) -> None:
        """Ask for an update. It costs nothing while one is asked for already, and never waits.

        In a forked child there is no such thread, and a lock of the event's may be held for ever.
        """
        if not self._asked.is_set() and os.getpid() == self._process:
            self._asked.set()

    @property
    def closed(self) -> bool:
        """Whether it has ended."""
        return self._closed.is_set()

    def close(self) -> None:
        """Update no more."""
        self._closed.set()
        self._asked.set()

    def _end(self, _: object) -> None:
        self.close()


def _run(update: _Method, look: _Method | None, asked: threading.Event, closed: threading.Event, pause: float) -> None:
    while True:
        woken = asked.wait(None if look is None else _BETWEEN_LOOKS)
        if closed.is_set():
            return
        if woken:
            asked.clear()
        method = update() if woken or look is None else look()
        if method is None:
            return
        with guarded:
            method()
        del method
        if woken:
            closed.wait(pause)
