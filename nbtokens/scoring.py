"""Scores of calls: `nbtokens.score(quality=0.85, safety=0.95)`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from nbtokens.context import current_place
from nbtokens.errors import NbtokensError
from nbtokens.record import Record, utc
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Mapping


def score(of: Record | str | None, scores: Mapping[str, float], at: float) -> Record:
    """Append a `score` row about a call.

    Args:
        of: the call's record or id; the last one of this session if None.
        scores: name -> number.
        at: now, in seconds since the epoch.
    """
    for name, value in scores.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise TypeError(f"The score {name!r} is {value!r}; a score is a number.")
    if not scores:
        raise TypeError("There is no score; give one by name, as nbtokens.score(quality=0.85).")
    now = runtime()
    call = of if of is not None else next(reversed(now.session.totals.recent), None)
    if call is None:
        raise NbtokensError("No call was made in this session yet; give the id of the one that is scored.")
    if not isinstance(call, Record | str):
        raise TypeError(f"{call!r} is no call; give its id, or its record.")
    place = current_place()
    row: Record = msgspec.structs.replace(
        now.meter.rows.blank(utc(at)),
        kind="score",
        ref=call if isinstance(call, str) else call.id,
        scores={name: float(value) for name, value in scores.items()},
        notebook=place.notebook,
        cell=place.cell,
        execution_count=place.execution_count,
        attribution=place.attribution,
    )
    now.keep(row)
    operation = call.operation if isinstance(call, Record) else None
    for name, least in now.config.settings.thresholds.scores.items():
        if scores.get(name, least) < least:
            calls = f"calls of {operation!r}" if operation else "calls"
            now.tell(f"The score {name!r} of {calls} falls below {least:g}, its threshold; see `nbtokens check`.")
    return row
