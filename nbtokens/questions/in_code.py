"""The same answers from code: `nbtokens.stats(...)`, `nbtokens.report(...)`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from nbtokens.analysis.selection import Selection, point_in_time
from nbtokens.analysis.token_stats import stats_of_totals
from nbtokens.decimals import exactly
from nbtokens.questions.selecting import of_session
from nbtokens.questions.stats import USUAL, stats_of
from nbtokens.reports.token_usage import usage_report
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from nbtokens.analysis.token_stats import Summaries
    from nbtokens.reports.report import Report

When: TypeAlias = str | datetime | timedelta


@exactly
def stats(
    by: str | None, since: When | None, until: When | None, only: dict[str, Any]
) -> Summaries | dict[str | None, Summaries]:
    """For each measure count, avg, min, max, p50, p95, p99, sum; with `by`, for each group."""
    session = of_session(only.pop("session"))
    which = Selection(since=_time(since), until=_time(until), **only, **session)
    found = stats_of(runtime().history, which, () if by is None else (by,))
    if by is None:
        return found.whole.summaries
    if any(group.measures is None for group in found.by[by].values()):  # totals keep no percentiles by this
        found = stats_of(runtime().history, Selection(since=datetime.min.replace(tzinfo=UTC)), (by,))
    return {name: group.summaries for name, group in found.by[by].items()}


@exactly
def session_report(*, detailed: bool) -> Report:
    """The token usage report of this process's calls."""
    now = runtime()
    reasons = [
        "No call has been made since recording began, or none of a model that nbtokens knows."
        if now.enabled
        else "Recording is off: call nbtokens.enable() before the first call, or run `nbtokens run SCRIPT.py`.",
        "Calls that other processes made are in the history: `nbtokens stats`.",
    ]
    return usage_report(stats_of_totals(now.session.totals, reversed(USUAL)), detailed=detailed, reasons=reasons)


def _time(when: Any) -> datetime | None:  # noqa: ANN401 - a `When`, checked here
    now = datetime.now(UTC)
    if when is None:
        return None
    if isinstance(when, str):
        return point_in_time(when, now)
    if isinstance(when, timedelta):
        return now - when
    if isinstance(when, datetime):
        return when.astimezone(UTC)
    raise TypeError(
        f"{when!r} is no time; give a datetime, a timedelta (so long ago), or text as '7d' or '2026-11-20'."
    )
