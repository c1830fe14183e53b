"""One quiet line below a cell that made calls."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from nbtokens.amounts import count, seconds, speed
from nbtokens.reports.figures import cost_of
from nbtokens.reports.hidden import hide_money
from nbtokens.reports.html import NO_MATH

if TYPE_CHECKING:
    from nbtokens.history.totals import Sums

_STYLE: Final = "font-size: var(--jp-ui-font-size0, 11px); opacity: 0.7"
_SEPARATOR: Final = " · "
_WHOLE_FROM: Final = 10


@dataclass(frozen=True, slots=True)
class Footer:
    """A line of figures. In a notebook it shows small and pale, in a terminal as text."""

    line: str

    def _repr_html_(self) -> str:
        return f'<div class="nbtokens-footer {NO_MATH}" style="{_STYLE}">{escape(self.line)}</div>'

    def __repr__(self) -> str:
        return self.line


def footer(sums: Sums, elapsed: float | None, *, hide_cost: bool = False) -> Footer:
    """`3 calls · 4,120 in · 512 out · $0.0123 · 3.2 s · 46 tok/s`; failed calls are named where there are some.

    Args:
        sums: of the cell's calls.
        elapsed: seconds from its first request to its last answer.
        hide_cost: leave the money out.
    """
    parts = ["1 call" if sums.calls == 1 else f"{count(sums.calls)} calls"]
    if sums.failed_calls:
        parts.append(f"{count(sums.failed_calls)} failed")
    parts += [f"{count(sums.input_tokens)} in", f"{count(sums.output_tokens)} out"]
    if not hide_cost:
        parts.append(cost_of(sums))
    if elapsed is not None:
        parts.append(seconds(elapsed))
    if sums.tokens_per_second is not None:
        parts.append(_speed(sums.tokens_per_second))
    line = _SEPARATOR.join(parts)
    return Footer(hide_money(line) if hide_cost else line)


def _speed(tokens_per_second: float) -> str:
    return f"{count(tokens_per_second)} tok/s" if tokens_per_second >= _WHOLE_FROM else speed(tokens_per_second)
