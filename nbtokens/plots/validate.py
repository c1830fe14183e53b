"""Whether time follows the tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbtokens.analysis.validation import validate as validated
from nbtokens.history.columns import columns_of
from nbtokens.plots.style import INK, add_legend, axes_or_new, calls_of, say_nothing_yet
from nbtokens.reports.validation_plot import plot_validation

if TYPE_CHECKING:
    from nbtokens.views import History, Session


def validate(axes: Any = None, *, of: History | Session | None = None) -> Any:  # noqa: ANN401 - matplotlib's Axes
    """The duration of calls by their output tokens, coloured by `max_tokens`, with the fitted line.

    Args:
        axes: where to draw; new ones if left out.
        of: whose calls; the history's if left out.
    """
    axes = axes_or_new(axes)
    found = validated(columns_of(calls_of(of).records()))
    if not found.points:
        return say_nothing_yet(axes, "No call was timed yet.")
    colour = axes.xaxis.label.get_color()
    plot_validation(found, axes)
    for beside in axes.figure.axes:  # the colour bar
        if beside is not axes:
            beside.tick_params(colors=colour)
            beside.yaxis.label.set_color(colour)
    for points in axes.collections:  # the darkest and the lightest of them would be lost on some ground
        points.set(edgecolor=INK, linewidth=0.5)
        limits = points.get_array()
        if limits is not None and limits.size and limits.min() == limits.max():  # one colour: from the scale's middle
            points.set_clim(limits.min() - 1, limits.max() + 1)
    add_legend(axes)
    return axes
