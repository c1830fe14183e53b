"""What `%tokens` shows: the last cell that made calls, this session, and all time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nbtokens.amounts import local_clock
from nbtokens.reports.figures import FIGURE_COLUMNS, calls_table, figures
from nbtokens.reports.report import Part, Report, Table

if TYPE_CHECKING:
    from nbtokens.history.totals import Sums
    from nbtokens.tally import Tally
    from nbtokens.views import History, Session

_MODEL_COLUMNS: Final = ("model", ">calls", ">input", ">output", ">cost")

_MOST_CALLS: Final = 10
"""How many of a cell's calls are shown one by one."""


def overview(cell: Tally | None, session: Session, history: History) -> Report:
    """The figures of a cell (None: no cell has made calls yet), the session and the history, and by model."""
    session_totals, all_totals = session.totals, history.totals
    rows = (
        ("last cell with calls", *(figures(cell.sums) if cell is not None else ("-",) * len(FIGURE_COLUMNS))),
        ("this session", *figures(session_totals.sums())),
        ("all time", *figures(all_totals.sums())),
    )
    parts: list[Part] = [Table("", ("", *FIGURE_COLUMNS), rows)]
    for heading, totals in (("this session, by model", session_totals), ("all time, by model", all_totals)):
        by_model = _model_rows(totals.by("model"))
        if by_model:
            parts.append(Table(heading, _MODEL_COLUMNS, by_model))
    return Report("LLM usage", tuple(parts))


def cell_report(cell: Tally) -> Report:
    """What one cell cost, by call."""
    sums = cell.sums
    total = Table("", FIGURE_COLUMNS, (figures(sums),) if sums.calls else (), "This cell made no LLM calls.")
    if not sums.calls:
        return Report("LLM usage of this cell", (total.empty,))
    records = list(cell.records)[-_MOST_CALLS:]
    parts: list[Part] = [total, calls_table("by call", records, local_clock)]
    if sums.calls > len(records):
        parts.append(f"(the latest {len(records)} of {sums.calls:,} calls)")
    return Report("LLM usage of this cell", tuple(parts))


def _model_rows(groups: dict[str | None, Sums]) -> tuple[tuple[str, ...], ...]:
    rows = []
    for model, sums in groups.items():
        if not (sums.calls or sums.cache_hits):  # only operations ran
            continue
        calls, _, read, _, written, cost, _ = figures(sums)
        rows.append((model or "(no model)", calls, read, written, cost))
    return tuple(rows)
