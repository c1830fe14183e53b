"""What `check` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbtokens.amounts import number_of
from nbtokens.reports.report import Report, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbtokens.analysis.flag import Flag


def flags_report(calls: int, flags: Sequence[Flag], least_calls: int) -> Report:
    """The report of what is wrong.

    Args:
        calls: how many were looked at.
        flags: what was found.
        least_calls: how many there must be to say anything.
    """
    data = {"calls": calls, "flags": [flag._asdict() for flag in flags]}
    if not flags and not calls:
        return Report("Red flags", ("No calls are recorded that this asks for.",), data)
    if not flags:
        enough = "" if calls >= least_calls else f" That says little: speeds need {least_calls} or more."
        return Report("Red flags", (f"None in {number_of(calls, 'call')}.{enough}",), data)
    rows = tuple((flag.kind.replace("_", " "), flag.where, flag.what) for flag in flags)
    advice = tuple(dict.fromkeys(f"{flag.kind.replace('_', ' ')}, {flag.where}: {flag.advice}" for flag in flags))
    return Report(
        "Red flags",
        (Table("", ("flag", "where", "what is seen"), rows), *advice, f"Of {number_of(calls, 'call')}."),
        data,
    )
