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
    """

    calls: int
    before: datetime
    looked_at: int

    def said(self, what: str) -> str:
        """In words, and how to look at them. They are called, say, `calls that can be tested`."""
        when = self.before.isoformat(timespec="microseconds").replace("+00:00", "Z")
        return (
            f"Looked at are the latest {self.looked_at:,} of {self.looked_at + self.calls:,} {what}. For those before "
            f"them say --until {when}; or ask for one --model, --run or span of time after the other."
        )
