"""What `scores` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbtokens.amounts import count
from nbtokens.reports.report import Report, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbtokens.analysis.scores import Average


def scores_report(found: Mapping[str, Mapping[str | None, Mapping[str, Average]]]) -> Report:
    """The averages of all scores, and by group.

    Args:
        found: dimension, "" for all calls -> group -> name -> average.
    """
    tables = tuple(_table(by, groups) for by, groups in found.items())
    data = {
        "scores": _averages(found[""].get(None, {})),
        "by": {
            by: [{"name": group, "scores": _averages(of)} for group, of in sorted(groups.items(), key=_by_name)]
            for by, groups in found.items()
            if by
        },
    }
    if not found[""]:
        return Report("Scores", ("No call is scored; score the last one with nbtokens.score(quality=0.85).",), data)
    return Report("Scores", tables, data)


def _table(by: str, groups: Mapping[str | None, Mapping[str, Average]]) -> Table:
    rows = tuple(
        (
            *((group if group is not None else f"(no {by})",) if by else ()),
            name,
            count(of.count),
            f"{of.value:.3f}",
            f"{of.least:.3f}",
            f"{of.most:.3f}",
        )
        for group, scores in sorted(groups.items(), key=_by_name)
        for name, of in sorted(scores.items())
    )
    columns = ("score", ">calls", ">avg", ">min", ">max")
    return Table(f"By {by}" if by else "", (by, *columns) if by else columns, rows)


def _averages(scores: Mapping[str, Average]) -> dict[str, Any]:
    return {name: {"count": of.count, "avg": of.value, "min": of.least, "max": of.most} for name, of in scores.items()}


def _by_name(group: tuple[str | None, object]) -> str:
    return str(group[0])
