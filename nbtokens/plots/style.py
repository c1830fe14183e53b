"""How plots look: colours that are told apart by everybody, text that can be read on white and on black."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbtokens.views import History, Session

COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
"""Okabe and Ito's colours, those of them that stand out on a light and on a dark ground (contrast of 3 and more)."""
INK: Final = "#797979"
"""Of text and lines: the grey with the same contrast (4.3) against white and against JupyterLab's black."""
OTHERS_HATCH: Final = "////"
_SIZE: Final = (7.0, 3.6)
_LONGEST_NAME: Final = 32


def axes_or_new(axes: Any) -> Any:  # noqa: ANN401 - matplotlib's Axes, which has no types
    """The axes that were given, as they are; else new ones, which suit light and dark."""
    if axes is not None:
        return axes
    import matplotlib.pyplot as plt  # noqa: PLC0415 - only where something is drawn

    return made_readable(plt.subplots(figsize=_SIZE, layout="constrained")[1])


def apart() -> Any:  # noqa: ANN401 - the same
    """New axes in a figure of their own, which no front end shows by itself."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - only where something is drawn

    return made_readable(Figure(figsize=_SIZE, layout="constrained").subplots())


def made_readable(axes: Any) -> Any:  # noqa: ANN401 - the same
    """Axes without a ground of their own, and with text and lines that can be read on any."""
    axes.figure.set_facecolor("none")
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(INK)
    axes.tick_params(colors=INK, which="both")
    for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
        text.set_color(INK)
    axes.grid(visible=True, color=INK, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def add_legend(axes: Any, title: str | None = None) -> None:  # noqa: ANN401 - the same
    """A legend beside the axes, where there is anything to tell apart."""
    if axes.get_legend_handles_labels()[0]:
        legend = axes.legend(
            title=title,
            frameon=False,
            labelcolor=axes.xaxis.label.get_color(),
            fontsize="small",
            loc="upper left",
            bbox_to_anchor=(1.0, 1.0),
        )
        legend.get_title().set_color(axes.xaxis.label.get_color())


def say_nothing_yet(axes: Any, what: str = "No calls yet.") -> Any:  # noqa: ANN401 - the same
    """Say in the middle that there is nothing to draw."""
    axes.text(0.5, 0.5, what, ha="center", va="center", transform=axes.transAxes, color=axes.xaxis.label.get_color())
    return axes


def label_times(axes: Any, label: str, **ticks: Any) -> None:  # noqa: ANN401 - the same
    """Write days or times along the lower axis, as short as they can be told apart."""
    from matplotlib import dates  # noqa: PLC0415 - only where something is drawn

    module: Any = dates  # without types
    locator = module.AutoDateLocator(**ticks)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(module.ConciseDateFormatter(locator))
    axes.xaxis.get_offset_text().set_color(axes.xaxis.label.get_color())
    axes.set_xlabel(label)


def shortened(name: str) -> str:
    """A name that leaves room for what it is the name of."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def look(number: int, names: Sequence[object]) -> dict[str, Any]:
    """Colour and hatch of one of several; the last of more than there are colours stands for the others."""
    if number < len(COLOURS):
        return {"color": COLOURS[number]}
    assert number < len(names)
    return {"facecolor": "none", "edgecolor": INK, "hatch": OTHERS_HATCH, "linewidth": 0}


def calls_of(of: History | Session | None) -> History | Session:
    """What is drawn: the history, where nothing else was said."""
    from nbtokens.runtime import runtime  # noqa: PLC0415 - a plot of given calls needs no runtime

    return runtime().history if of is None else of
