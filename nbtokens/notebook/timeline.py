"""How a session's cost has grown, and how fast its calls write now: little to keep, however many calls there are."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from nbtokens.record import Record

_MOST_STEPS: Final = 120
_FIRST_STEP: Final = 1.0
_WINDOW: Final = 10.0
_FOLD_AT: Final = 1_000


class _Ended(NamedTuple):
    """A call that has ended: when, in seconds since the epoch; after how many seconds; its output tokens; its USD."""

    at: float
    duration: float
    tokens: int
    cost: float


class Timeline:
    """Takes records in as they come, on any thread; it may be read meanwhile. Who brings a record never waits.

    Args:
        started_at: when the session began, UTC.
    """

    def __init__(self, started_at: datetime) -> None:
        self._lock = threading.Lock()
        self._new: deque[_Ended] = deque()
        self._recent: deque[_Ended] = deque(maxlen=_FOLD_AT)
        self._begin(started_at)

    def _begin(self, started_at: datetime) -> None:
        self._started_at = started_at
        self._start = started_at.timestamp()
        self._step = _FIRST_STEP
        self._costs: list[float] = []
        self._recent.clear()

    def add(self, record: Record) -> None:
        """Take one more record in, if it is a call."""
        if record.kind != "call":
            return
        duration = record.duration_s or 0.0
        ended = record.started_at.timestamp() + duration
        written = record.output_tokens or 0 if duration else 0  # recorded by hand: nobody knows how fast it was
        self._new.append(_Ended(ended, duration, written, float(record.cost_usd or 0)))
        if len(self._new) >= _FOLD_AT and self._lock.acquire(blocking=False):
            try:
                self._fold()
            finally:
                self._lock.release()

    def follow(self, started_at: datetime) -> None:
        """Begin anew where the session has done so."""
        with self._lock:
            if started_at != self._started_at:
                self._begin(started_at)

    def growth(self) -> list[float]:
        """The cost so far, USD, after each of at most 120 equal steps from the session's start to its last call."""
        with self._lock:
            self._fold()
            return list(itertools.accumulate(self._costs))

    def speed(self, now: float | None = None) -> float | None:
        """Output tokens per second over the last 10 seconds, of all calls together; None where none has ended in them.

        Of a call that began before, only the share that lies within counts. Where calls fill less than these
        seconds, the time is that from the first one's start.

        Args:
            now: seconds since the epoch; the present by default.
        """
        end = time.time() if now is None else now
        begin = end - _WINDOW
        with self._lock:
            self._fold()
            written = [one for one in self._recent if one.tokens and one.at >= begin]
        if not written:
            return None
        first = max(begin, min(one.at - one.duration for one in written))
        tokens = sum(one.tokens * _share(one, begin) for one in written)
        return tokens / (end - first) if end > first else None

    def _fold(self) -> None:
        while True:
            try:
                one = self._new.popleft()
            except IndexError:
                return
            if one.at < self._start:  # of before a reset, or recorded by hand for earlier
                continue
            self._recent.append(one)
            self._put(one)

    def _put(self, one: _Ended) -> None:
        while (place := int((one.at - self._start) / self._step)) >= _MOST_STEPS:
            self._step *= 2
            self._costs = [sum(self._costs[at : at + 2]) for at in range(0, len(self._costs), 2)]
        self._costs += [0.0] * (place + 1 - len(self._costs))
        self._costs[place] += one.cost


def _share(one: _Ended, begin: float) -> float:
    """How much of a call lies after `begin`, of its time."""
    if not one.duration or one.at - one.duration >= begin:
        return 1.0
    return (one.at - begin) / one.duration
