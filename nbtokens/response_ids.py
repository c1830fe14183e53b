"""Which answers the ledger holds already, by the ids that their providers gave them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbtokens.record import Record


class ResponseIds:
    """The ids of all answers whose usage is recorded. Nothing is read before somebody asks.

    Args:
        read: gives the ledger's records that it has not given before.
    """

    def __init__(self, read: Callable[[], Iterator[Record]]) -> None:
        self._read = read
        self._ids: set[str] = set()
        self._lock = threading.Lock()

    def after_fork(self) -> None:
        """In a forked child: the lock may be held for ever by a thread of the parent's."""
        self._lock = threading.Lock()

    def claim(self, response_id: str) -> bool:
        """Whether an answer is new; from here on it isn't."""
        with self._lock:
            self._ids.update(
                record.response_id
                for record in self._read()
                if record.response_id is not None and record.usage_source in ("reported", "estimated")
            )
            if response_id in self._ids:
                return False
            self._ids.add(response_id)
            return True
