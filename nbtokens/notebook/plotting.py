"""`%tokens plot`."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from IPython.core.error import UsageError

from nbtokens.plots import PLOTS
from nbtokens.plots.drawing import Drawing
from nbtokens.reports.hidden import HIDDEN, hide_money

if TYPE_CHECKING:
    from nbtokens.runtime import Runtime

_OF_MONEY: Final = "cost (USD)"


def drawing(arguments: list[str], runtime: Runtime, *, hide_cost: bool) -> Drawing:
    """The plot that the words ask for.

    Args:
        arguments: the plot's name, and `session` for this session's calls alone.
        runtime: whose calls.
        hide_cost: whether amounts of money are hidden; the shape of the plot stays.
    """
    name, *rest = arguments or ["cost"]
    if name not in PLOTS:
        close = difflib.get_close_matches(name, PLOTS, n=1)
        hint = f"did you mean `%tokens plot {close[0]}`?" if close else f"there are {', '.join(PLOTS)}."
        raise UsageError(f"%tokens plot has no {name!r}; {hint}")
    if rest not in ([], ["session"]):
        raise UsageError(f"%tokens plot {name} takes nothing or `session`, not {' '.join(rest)!r}.")
    drawn = Drawing(name, runtime.session if rest else runtime.history)
    if hide_cost:
        _hide_money(drawn)
    return drawn


def _hide_money(drawn: Drawing) -> None:
    axes = drawn.axes
    axes.set_title(hide_money(axes.get_title()))
    for text in axes.texts:
        text.set_text(hide_money(text.get_text()))
    for axis in (axes.xaxis, axes.yaxis):
        if axis.label.get_text().startswith(_OF_MONEY):
            axis.set_ticklabels([])
            axis.label.set_text(f"cost ({HIDDEN})")
