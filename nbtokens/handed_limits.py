"""Limits that hold for the processes that work for this one, too: what goes along, and what is known of them there."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from nbtokens.decimals import exactly
from nbtokens.history.follow import Follower
from nbtokens.limits import Amounts, Limit
from nbtokens.shared_budgets import Cell, Standing

if TYPE_CHECKING:
    from nbtokens.history.journal import Journal
    from nbtokens.record import Record

_NOTHING: Final = Amounts()


@dataclass(frozen=True, slots=True)
class Start:
    """What a session had spent when it first handed out work under a limit.

    Attributes:
        offset: in the ledger, behind the records that are counted here.
        latest: an id that is later than theirs.
        session: all of it.
        cell: the cell that ran.
        of_cell: what that run of it had spent.
        reset_at: when the session was last reset, as text; empty where it never was.
    """

    offset: int
    latest: str
    session: Amounts
    cell: Cell
    of_cell: Amounts
    reset_at: str = ""


@dataclass(frozen=True, slots=True)
class Handed:
    """The limits of a session, for a process that shares its ledger.

    Attributes:
        limits: the limits.
        start: from where on what is spent is read from the ledger.
    """

    limits: tuple[Limit, ...]
    start: Start


class Terms(msgspec.Struct, frozen=True):
    """The limits of a session, for processes that may not share its ledger; sent anew while it lives.

    Attributes:
        at: which of two is the later one.
        handed: what they need that share it. What follows is for the others.
        limits: those for a minute, which each process holds for itself.
        standings: the others, and those of its team, with what is spent of them.
        taken: worker -> the last of its calls that is counted in them.
    """

    at: int
    handed: Handed | None
    limits: tuple[Limit, ...]
    standings: tuple[Standing, ...]
    taken: dict[str, str]


class Together:
    """What all processes of a session have spent: as it was at the start, and what they wrote to the ledger since.

    Args:
        journal: the ledger that they share.
        session: the session.
        start: where it begins.
    """

    def __init__(self, journal: Journal, session: str, start: Start) -> None:
        self.start = start
        self._session = session
        self._lock = threading.Lock()
        self._follower = Follower(journal, start.offset)
        self._sum = start.session
        self._cells = {start.cell: start.of_cell}
        self._counted: set[str] = set()

    @exactly
    def spent(self, cell: Cell | None = None) -> Amounts:
        """By the session; or by one run of a cell."""
        with self._lock:
            self._read_on()
            return self._sum if cell is None else self._cells.get(cell, _NOTHING)

    def _read_on(self) -> None:
        for record in self._follower():
            is_new = record.id > self.start.latest and record.id not in self._counted  # the file may be written anew
            if record.kind == "call" and record.session == self._session and is_new:
                self._counted.add(record.id)
                self._add(record)

    def _add(self, record: Record) -> None:
        used = Amounts(record.cost_usd, record.total_tokens or 0)
        cell = record.cell, record.execution_count
        self._sum += used
        self._cells[cell] = self._cells.get(cell, _NOTHING) + used
