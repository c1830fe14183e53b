"""How amounts are written for people: money, counts, seconds, speeds. The same everywhere."""

from __future__ import annotations

import math
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from nbtokens.decimals import exactly

if TYPE_CHECKING:
    from datetime import datetime

UNPRICED: Final = "unpriced"
NOT_KNOWN: Final = "n/a"
_SECONDS_PER_MINUTE: Final = 60
_SMALL: Final = 10
_LEAST_FOR_FOUR_DECIMALS: Final = 0.001


@exactly
def usd(amount: Decimal | float | None) -> str:
    """Money: `$12.35`, `$0.0123`, `$0.0000042`; four decimals under $10, two significant digits under $0.001."""
    if amount is None:
        return UNPRICED
    size = abs(float(amount))
    if not size:
        return "$0.00"
    if round(size, 4) >= _SMALL:
        return f"${amount:,.2f}"
    rounded = float(f"{size:.1e}")
    if rounded >= _LEAST_FOR_FOUR_DECIMALS:
        return f"${amount:.4f}"
    return f"${amount:.{1 - math.floor(math.log10(rounded))}f}"


def usd_set(amount: Decimal) -> str:
    """Money as somebody has set it: `$5.00`; what has parts of a cent, as money that was spent."""
    return f"${amount:,.2f}" if Decimal(f"{amount:.2f}") == amount else usd(amount)


def count(number: float | None) -> str:
    """A whole number with thousands separated."""
    return NOT_KNOWN if number is None else f"{round(number):,}"


def number_of(number: int, thing: str) -> str:
    """How many of something: `1 call`, `1,234 calls`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def seconds(duration: float | None) -> str:
    """A duration: `0.042 s`, `3.2 s`, `2 min 05 s`."""
    if duration is None:
        return NOT_KNOWN
    if round(duration, 3) < 1:
        return f"{duration:.3f} s"
    if round(duration, 1) < _SECONDS_PER_MINUTE:
        return f"{duration:.1f} s"
    minutes, rest = divmod(round(duration), _SECONDS_PER_MINUTE)
    return f"{minutes:,} min {rest:02d} s"


def speed(tokens_per_second: float | None) -> str:
    """A speed: `46.2 tok/s`."""
    return NOT_KNOWN if tokens_per_second is None else f"{tokens_per_second:,.1f} tok/s"


def local_time(at: datetime | None) -> str:
    """A UTC time as the reader's own, to the second: `2026-11-21 14:03:27+01:00`."""
    return NOT_KNOWN if at is None else _local(at).isoformat(sep=" ", timespec="seconds")


def local_clock(at: datetime | None) -> str:
    """A UTC time of a moment ago as the reader's clock shows it: `14:03:27`."""
    return NOT_KNOWN if at is None else _local(at).strftime("%H:%M:%S")


def _local(at: datetime) -> datetime:
    with suppress(OverflowError, ValueError, OSError):  # at the end of the calendar there may be no local time
        return at.astimezone()
    return at
