"""What the live panel shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbtokens.amounts import local_time
from nbtokens.reports.figures import FIGURE_COLUMNS, by_table, figures
from nbtokens.reports.report import Report, Table

if TYPE_CHECKING:
    from nbtokens.views import History, Session


def live_report(session: Session, history: History) -> Report:
    """Session and cumulative figures side by side, the session's by model, and when the last call was."""
    totals = session.totals
    sums, every = totals.sums(), history.sums
    rows = (("this session", *figures(sums)), ("all time", *figures(every)))
    return Report(
        "LLM usage, live",
        (
            Table("", ("", *FIGURE_COLUMNS), rows),
            by_table("this session, by model", "model", totals.by("model"), "(no model)"),
            f"last call: {local_time(every.last_at)}",
        ),
    )
