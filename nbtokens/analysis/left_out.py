"""What was left out where only the latest calls are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime


class LeftOut(NamedTuple):
    """Calls that were not looked at, because there were too many later ones.

    Attributes:
        calls: how many.
        before: all of them began before, UTC, and the others did not.
        looked_at: how many of the latest calls were looked at.
        at_least: there may be more of them than `calls`: no more were counted.
    """

    calls: int
    before: datetime
    looked_at: int
    at_least: bool = False

    def counted(self, what: str) -> str:
        """In words. The calls are called, say, `calls that can be tested`."""
        or_more = " or more" if self.at_least else ""
        return f"Looked at are the latest {self.looked_at:,} of {self.looked_at + self.calls:,}{or_more} {what}."

    def said(self, what: str) -> str:
        """The same, and how to look at them."""
        when = self.before.isoformat(timespec="microseconds").replace("+00:00", "Z")
        return (
            f"{self.counted(what)} For those before them say --until {when}; or ask for one --model, --run or span of "
            "time after the other."
        )
