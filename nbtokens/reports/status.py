"""The status bar's item: a few words, and what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nbtokens.amounts import count
from nbtokens.reports.figures import cost_of

if TYPE_CHECKING:
    from nbtokens.history.totals import Sums


class Status(NamedTuple):
    """What the item shows, empty where there is nothing to show, and what it tells on hovering."""

    text: str
    title: str


def status(session: Sums, every: Sums, *, hide_cost: bool = False) -> Status:
    """The session's and all time's cost; their calls, where money is hidden."""
    if not every.calls:
        return Status("", "")
    if hide_cost:
        text = f"LLM {_calls(session)} · {count(every.calls)} in all"
    else:
        text = f"LLM {cost_of(session)} · {cost_of(every)} in all"
    return Status(
        text,
        f"LLM usage. This session: {_figures(session)}. All time: {_figures(every)}. Click to open the live panel.",
    )


def _figures(sums: Sums) -> str:
    return f"{_calls(sums)}, {count(sums.input_tokens)} tokens in, {count(sums.output_tokens)} out"


def _calls(sums: Sums) -> str:
    return "1 call" if sums.calls == 1 else f"{count(sums.calls)} calls"
