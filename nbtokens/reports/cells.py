"""The notebook's cells by cost: how often each was run, and what running it again has cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from nbtokens.amounts import count
from nbtokens.decimals import exactly
from nbtokens.history.totals import Sums
from nbtokens.reports.figures import cost_of
from nbtokens.reports.report import Part, Report, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from nbtokens.record import Record

_COLUMNS: Final = ("cell", "code", ">runs", ">calls", ">input", ">output", ">cost", ">re-runs", ">identical requests")
_NOTHING: Final = "-"


class Run(NamedTuple):
    """One execution of a cell. The number is the one beside the cell; None where it got none."""

    session: str | None
    number: int | None


@dataclass
class CellUse:
    """What the calls of one cell come to, over all its runs.

    Attributes:
        cell: the cell's id, or a hash of its source.
        sums: all its calls.
        runs: the runs that made calls, in the order of their first call.
        again: the calls of all runs but the first.
        identical: the calls whose request was answered before, by this cell or by another.
    """

    cell: str
    sums: Sums = field(default_factory=Sums)
    runs: dict[Run, None] = field(default_factory=dict)
    again: Sums = field(default_factory=Sums)
    identical: Sums = field(default_factory=Sums)

    def add(self, record: Record, *, seen: bool) -> None:
        """Take one more call in.

        Args:
            record: the call.
            seen: whether the same request had been answered before.
        """
        run = Run(record.session, record.execution_count)
        self.runs.setdefault(run)
        self.sums.add(record)
        if run != next(iter(self.runs)):
            self.again.add(record)
        if seen:
            self.identical.add(record)


@exactly
def by_cell(records: Iterable[Record], wanted: Callable[[Record], bool]) -> list[CellUse]:
    """The cells that made calls, the dearest first, then those with the most tokens.

    A request is known again by its fingerprint. One that failed before was not answered, so to send it again
    is no waste.

    Args:
        records: of the whole history, oldest first: what was answered anywhere counts as seen.
        wanted: whether a record is of a cell that is asked for.
    """
    cells: dict[str, CellUse] = {}
    answered: set[str] = set()
    for record in records:
        if record.kind != "call":
            continue
        known = record.request_hash
        if record.cell is not None and wanted(record):
            use = cells.get(record.cell)
            if use is None:
                use = cells[record.cell] = CellUse(record.cell)
            use.add(record, seen=known in answered)
        if known is not None and record.status == "ok":
            answered.add(known)
    return sorted(cells.values(), key=lambda use: (-use.sums.cost_usd, -use.sums.total_tokens))


@exactly
def cells_report(uses: list[CellUse], code: Mapping[str, str], where: str) -> Report:
    """The cells as a table.

    Args:
        uses: the cells.
        code: for a cell, the line that it is known by; cells that are no longer there are left out.
        where: the notebook's name, or what else they are the cells of.
    """
    table = Table("", _COLUMNS, tuple(_row(use, code) for use in uses), "No cell has made calls yet.")
    return Report(f"LLM usage by cell, {where}", tuple(_parts(table, uses)))


def _parts(table: Table, uses: list[CellUse]) -> Iterable[Part]:
    yield table
    again, identical = Sums(), Sums()
    for use in uses:
        again.merge(use.again)
        identical.merge(use.identical)
    if again.calls:
        yield f"Running cells again has cost {cost_of(again)} ({_calls(again)})."
    if identical.calls:
        yield f"Requests identical to earlier ones have cost {cost_of(identical)} ({_calls(identical)})."


def _row(use: CellUse, code: Mapping[str, str]) -> tuple[str, ...]:
    number = next(reversed(use.runs)).number
    return (
        f"[{number if number is not None else ' '}]",
        code.get(use.cell, "(no longer there)"),
        count(len(use.runs)),
        count(use.sums.calls),
        count(use.sums.input_tokens),
        count(use.sums.output_tokens),
        cost_of(use.sums),
        _part(use.again),
        _part(use.identical),
    )


def _part(sums: Sums) -> str:
    """What a part of the calls has cost."""
    return cost_of(sums) if sums.calls else _NOTHING


def _calls(sums: Sums) -> str:
    return "1 call" if sums.calls == 1 else f"{count(sums.calls)} calls"
