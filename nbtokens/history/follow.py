"""The end of a ledger: its latest calls, and reading on from where one was, whoever writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nbtokens.record import Record, folded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbtokens.history.journal import Journal

_USUAL_LINE: Final = 2_000
_FURTHER: Final = 8


def latest_calls(journal: Journal, most: int) -> tuple[list[Record], int]:
    """The latest calls, the oldest of them first, at their amended prices; and the offset that was read up to.

    Args:
        journal: the file.
        most: how many.
    """
    reach = (most + 1) * _USUAL_LINE
    while True:
        start = end = max(journal.size() - reach, 0)
        found: dict[str, Record] = {}
        for record, end in journal.read(start):  # noqa: B007 - the last one counts
            if record.kind == "call":
                found[record.id] = record
            elif record.kind == "amend" and record.ref in found:
                found[record.ref] = folded(found[record.ref], record)
        if len(found) >= most or not start:
            return list(found.values())[max(len(found) - most, 0) :], end
        reach *= _FURTHER


class Follower:
    """Gives each record of a journal once; all of them anew after the file was replaced.

    Args:
        journal: the journal.
        offset: behind which record to begin.
    """

    def __init__(self, journal: Journal, offset: int = 0) -> None:
        self._journal = journal
        self._identity = journal.identity()
        self._offset = offset

    def __call__(self) -> Iterator[Record]:
        """The records that were not given before."""
        identity = self._journal.identity()
        if identity != self._identity or self._journal.size() < self._offset:
            self._identity, self._offset = identity, 0
        for line in self._journal.read(self._offset):
            self._offset = line.end
            yield line.record
