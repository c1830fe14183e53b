"""One run of an operation, from its beginning to its end: how long it took, and how many calls it made."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbtokens.context import Scope
    from nbtokens.record import Record


class OperationRun:
    """A scope that counts the calls which were sent, or recorded by hand, between its making and its end.

    A stream that is still being read at the end counts: it was asked for inside.

    Attributes:
        operation: whose run it is.
        started_at: when it began, in seconds since the epoch.
    """

    __slots__ = ("_began", "_sent", "_told", "operation", "started_at")

    def __init__(self, operation: Scope) -> None:
        self.operation = operation
        self.started_at = time.time()
        self._began = time.perf_counter()
        # To append needs no lock, which a forked child could find held for ever.
        self._sent: list[None] = []
        self._told: list[None] = []

    @property
    def calls(self) -> int:
        """How many calls there were so far; failed ones count."""
        return max(len(self._sent), len(self._told))

    @property
    def duration(self) -> float:
        """Seconds since it began."""
        return time.perf_counter() - self._began

    def begin(self) -> None:
        """A request is about to be sent."""
        self._sent.append(None)

    def add(self, record: Record) -> None:  # noqa: ARG002 - a scope's way
        """A call has come to its end, or was recorded by hand."""
        self._told.append(None)

    def amend(self, before: Record, after: Record) -> None:
        """Prices don't matter here."""
