"""How fast models answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nbtokens.amounts import number_of
from nbtokens.history.distribution import Distribution
from nbtokens.plots.style import COLOURS, INK, axes_or_new, calls_of, say_nothing_yet, shortened

if TYPE_CHECKING:
    from nbtokens.views import History, Session

_MOST: Final = 12
_BOX: Final = {"whislo": 0.05, "q1": 0.25, "med": 0.5, "q3": 0.75, "whishi": 0.95}


def speed(axes: Any = None, *, of: History | Session | None = None) -> Any:  # noqa: ANN401 - matplotlib's Axes
    """Output tokens per second of each model: boxes hold half of its calls, whiskers reach from 5 % to 95 %.

    Args:
        axes: where to draw; new ones if left out.
        of: whose calls; the history's if left out.
    """
    axes = axes_or_new(axes)
    spread: dict[str, Distribution] = {}
    for (model, _), measures in calls_of(of).totals.measures.items():
        if measures.tokens_per_second.count:
            spread.setdefault(model or "(no model)", Distribution()).merge(measures.tokens_per_second)
    if not spread:
        return say_nothing_yet(axes, "No call was timed yet.")
    chosen = sorted(spread.items(), key=lambda one: -one[1].count)[:_MOST]
    boxes = [
        {
            "label": f"{shortened(name)} ({number_of(one.count, 'call')})",
            **{key: one.quantile(share) for key, share in _BOX.items()},
        }
        for name, one in chosen
    ]
    axes.bxp(
        boxes,
        orientation="horizontal",
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": COLOURS[0], "edgecolor": INK},
        medianprops={"color": COLOURS[1], "linewidth": 2},
        whiskerprops={"color": INK},
        capprops={"color": INK},
    )
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("output tokens per second\n(median; box: half of the calls; line: 90 % of them)")
    axes.set_title("Speed by model")
    axes.grid(visible=False, axis="y")
    return axes
