"""What happens at this moment: the requests in flight, and who wants to know when anything changes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

from nbtokens.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.exchange import Exchange


class Activity:
    """The activity of one process.

    Attributes:
        in_flight: the requests that have not come to their end; of those that are lost on the way, none stays.
        watchers: called, on whatever thread, when a request begins and when a record is kept, so when figures change.
    """

    def __init__(self) -> None:
        self.in_flight: WeakSet[Exchange] = WeakSet()
        self.watchers: list[Callable[[], None]] = []

    def begun(self, exchange: Exchange) -> None:
        """A request is about to be sent."""
        self.in_flight.add(exchange)
        self.changed()

    def ended(self, exchange: Exchange) -> None:
        """It has come to its end, in whatever way; its record comes next, if there is one."""
        self.in_flight.discard(exchange)

    def changed(self) -> None:
        """Figures are not what they were."""
        for watcher in self.watchers:
            with guarded:
                watcher()

    def after_fork(self) -> None:
        """In a forked child: requests, panels and threads are the parent's."""
        self.in_flight = WeakSet()
        self.watchers = []
