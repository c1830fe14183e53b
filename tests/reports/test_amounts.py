"""How amounts are written: never longer than needed, never rounded to nothing, the same everywhere."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbtokens.amounts import count, local_time, seconds, speed, usd, usd_set

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "unpriced"),
        ("0", "$0.00"),
        ("0E-12", "$0.00"),
        ("1234567.891", "$1,234,567.89"),
        ("12.346", "$12.35"),
        ("10", "$10.00"),
        ("9.99996", "$10.00"),
        ("9.9999", "$9.9999"),
        ("1", "$1.0000"),
        ("0.0123", "$0.0123"),
        ("0.001", "$0.0010"),
        ("0.00099996", "$0.0010"),
        ("0.00099", "$0.00099"),
        ("0.0001", "$0.00010"),
        ("0.0000042", "$0.0000042"),
        ("0.00000996", "$0.000010"),
        ("1E-9", "$0.0000000010"),
    ],
)
def test_usd(amount: str | None, text: str) -> None:
    """Two decimals from $10 on, four under that, two digits that count under $0.001; what has no price says so."""
    assert usd(None if amount is None else Decimal(amount)) == text
    if amount is not None:
        assert usd(float(amount)) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [("5", "$5.00"), ("0.10", "$0.10"), ("1234.5", "$1,234.50"), ("0.125", "$0.1250"), ("0", "$0.00")],
)
def test_usd_set(amount: str, text: str) -> None:
    """What somebody has set reads as it was written: whole cents have two decimals."""
    assert usd_set(Decimal(amount)) == text


@given(amount=st.decimals("1E-15", "1E9", allow_nan=False))
def test_usd_is_never_rounded_to_nothing(amount: Decimal) -> None:
    """Whatever is more than zero reads as what it is, to two digits at least."""
    assert float(usd(amount).removeprefix("$").replace(",", "")) == pytest.approx(float(amount), rel=0.051)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (None, "n/a"),
        (0.0, "0.000 s"),
        (0.0421, "0.042 s"),
        (0.9994, "0.999 s"),
        (0.9996, "1.0 s"),
        (1.0, "1.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (60.0, "1 min 00 s"),
        (119.6, "2 min 00 s"),
        (125.0, "2 min 05 s"),
        (7261.0, "121 min 01 s"),
        (61 * 60_000.0, "61,000 min 00 s"),
    ],
)
def test_seconds(duration: float | None, text: str) -> None:
    """Milliseconds under a second, tenths under a minute, then minutes; rounding never shows 60 seconds."""
    assert seconds(duration) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "n/a"), (0.0, "0.0 tok/s"), (46.24, "46.2 tok/s"), (999.96, "1,000.0 tok/s"), (12345.67, "12,345.7 tok/s")],
)
def test_speed(value: float | None, text: str) -> None:
    """Tokens per second, with one decimal."""
    assert speed(value) == text


@pytest.mark.parametrize(("number", "text"), [(None, "n/a"), (0, "0"), (999, "999"), (1234567, "1,234,567")])
def test_count(number: int | None, text: str) -> None:
    """Whole numbers, thousands separated."""
    assert count(number) == text


@pytest.fixture
def in_calcutta(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_times_are_the_readers_own(in_calcutta: None) -> None:
    """Times are kept in UTC and shown in local time, to the second, with the zone's offset."""
    assert local_time(datetime(2026, 11, 21, 20, 0, 5, 999_999, tzinfo=UTC)) == "2026-11-22 01:30:05+05:30"
    assert local_time(None) == "n/a"


def test_a_time_at_the_end_of_time(in_calcutta: None) -> None:
    """A time that has no local form, as a mistyped one, is shown in UTC."""
    assert local_time(datetime(9999, 12, 31, 23, 0, tzinfo=UTC)) == "9999-12-31 23:00:00+00:00"
