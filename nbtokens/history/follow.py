"""Reading on in a ledger: at every call what was written since the one before, by whomever."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbtokens.history.journal import Journal
    from nbtokens.record import Record


class Follower:
    """Gives each record of a journal once; all of them anew after the file was replaced."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._identity = journal.identity()
        self._offset = 0

    def __call__(self) -> Iterator[Record]:
        """The records that were not given before."""
        identity = self._journal.identity()
        if identity != self._identity or self._journal.size() < self._offset:
            self._identity, self._offset = identity, 0
        for line in self._journal.read(self._offset):
            self._offset = line.end
            yield line.record
