"""Figures that grow while their calls are made: of an operation, a cell, a session."""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from nbtokens.decimals import exactly
from nbtokens.history.totals import Sums

if TYPE_CHECKING:
    from decimal import Decimal

    from nbtokens.record import Record

_KEPT = 200
_tallies: Final[WeakSet[Tally]] = WeakSet()


class Tally:
    """Sums over the calls of one thing, and the latest records. It may be read while calls go on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums = Sums()
        self.records: deque[Record] = deque(maxlen=_KEPT)
        """The latest calls, at most 200."""
        _tallies.add(self)

    @exactly
    def add(self, record: Record) -> None:
        """Take one more record in."""
        with self._lock:
            self._sums.add(record)
            self.records.append(record)

    @exactly
    def amend(self, before: Record, after: Record) -> None:
        """A record that was taken in has another price now."""
        with self._lock:
            self._sums.amend(before, after)
            kept = [after if one.id == after.id else one for one in self.records]
            self.records.clear()
            self.records.extend(kept)

    @property
    @exactly
    def sums(self) -> Sums:
        """The figures as they are now."""
        with self._lock:
            copy = Sums()
            copy.merge(self._sums)
            return copy

    @property
    def calls(self) -> int:
        """How many calls were made; failed ones count."""
        return self._sums.calls

    @property
    def failed_calls(self) -> int:
        """How many of them failed."""
        return self._sums.failed_calls

    @property
    def input_tokens(self) -> int:
        """Tokens that went in, cached ones included."""
        return self._sums.input_tokens

    @property
    def output_tokens(self) -> int:
        """Tokens that came out, reasoning included."""
        return self._sums.output_tokens

    @property
    def total_tokens(self) -> int:
        """Input and output tokens."""
        return self._sums.total_tokens

    @property
    def cost_usd(self) -> Decimal | None:
        """What the calls cost, in USD, as far as they are priced (see `unpriced_calls`); None where none of them is."""
        sums = self._sums
        return None if sums.unpriced_calls and not sums.priced_calls else sums.cost_usd

    @property
    def unpriced_calls(self) -> int:
        """How many calls used tokens at a price that is not known."""
        return self._sums.unpriced_calls


def _after_fork() -> None:
    """In a forked child: a lock may be held by a thread that lives in the parent only."""
    for tally in _tallies:
        tally._lock = threading.Lock()  # noqa: SLF001 - this file's own


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
