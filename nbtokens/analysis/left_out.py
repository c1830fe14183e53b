"""What was left out where only the latest calls are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime


class LeftOut(NamedTuple):
    """Calls that were not looked at, because there were too many later ones.

    Attributes:
        calls: how many.
        before: when the first of the later ones began, UTC.
    """

    calls: int
    before: datetime

    def said(self, looked_at: int, what: str) -> str:
        """In words, and how to look at them.

        Args:
            looked_at: how many of the latest calls were looked at.
            what: the calls' name, `calls that can be tested`.
        """
        when = self.before.isoformat(timespec="microseconds").replace("+00:00", "Z")
        return (
            f"Looked at are the latest {looked_at:,} of {looked_at + self.calls:,} {what}. For those before them say "
            f"--until {when}; or ask for one --model, --run or span of time after the other."
        )
