"""What the panel keeps of a session: how its cost grew, and how fast calls write now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from nbtokens.notebook.timeline import Timeline
from nbtokens.record import Record

START = datetime(2026, 1, 1, tzinfo=UTC)


def call(after: float, *, duration: float = 0.0, tokens: int = 0, cost: str = "0") -> Record:
    """A call that was sent so many seconds after the start."""
    return Record(
        v=1,
        kind="call",
        id="x",
        started_at=START + timedelta(seconds=after),
        duration_s=duration,
        output_tokens=tokens,
        cost_usd=Decimal(cost),
    )


def test_growth() -> None:
    """The cost so far, step by step, from the session's start to its last call."""
    timeline = Timeline(START)
    for after, cost in ((0.5, "1"), (2.5, "2"), (2.7, "3"), (4.0, "0")):
        timeline.add(call(after, cost=cost))
    timeline.add(Record(v=1, kind="run", id="x", started_at=START + timedelta(seconds=60)))  # an operation, no call
    assert timeline.growth() == [1, 1, 6, 6, 6]


def test_growth_of_a_long_session_stays_small() -> None:
    """However long it lasts, there are at most 120 steps; the last one is all of the cost."""
    timeline = Timeline(START)
    for hour in range(200):
        timeline.add(call(hour * 3600, cost="0.5"))
    growth = timeline.growth()
    assert 60 <= len(growth) <= 120
    assert growth[-1] == 100
    assert growth == sorted(growth)
    assert growth[len(growth) // 2] == pytest.approx(50, abs=2)


def test_more_calls_than_are_kept_one_by_one() -> None:
    """Thousands of calls between two looks are all counted."""
    timeline = Timeline(START)
    for _ in range(5_000):
        timeline.add(call(1, cost="1", tokens=1))
    assert timeline.growth()[-1] == 5_000


def test_a_reset() -> None:
    """After a reset it begins anew; what began before does not count."""
    timeline = Timeline(START)
    timeline.add(call(1, cost="1", tokens=5))
    timeline.follow(START + timedelta(seconds=10))
    assert timeline.growth() == []
    timeline.add(call(5, cost="1"))
    timeline.add(call(12, cost="4"))
    timeline.follow(START + timedelta(seconds=10))
    assert timeline.growth() == [0, 0, 4]


@pytest.mark.parametrize(
    ("calls", "speed"),
    [
        ([], None),
        ([call(90, duration=5, tokens=0)], None),
        ([call(80, duration=5, tokens=100)], None),
        ([call(98, duration=0, tokens=50)], None),
        ([call(98, duration=1, tokens=50)], 25),
        ([call(80, duration=20, tokens=100)], 5),
        ([call(90, duration=10, tokens=100), call(90, duration=10, tokens=300)], 40),
        ([call(95, duration=5, tokens=100), call(85, duration=10, tokens=100)], 15),
    ],
)
def test_speed_now(calls: list[Record], speed: float | None) -> None:
    """Tokens per second of the last 10 seconds, of all calls together; of each call the share that lies in them.

    One whose duration nobody knows, as it was recorded by hand, tells nothing of speed.
    """
    timeline = Timeline(START)
    for one in calls:
        timeline.add(one)
    found = timeline.speed(now=START.timestamp() + 100)
    assert found == (None if speed is None else pytest.approx(speed))
