"""How long the rows of an estimate are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from nbtokens.amounts import count, usd
from nbtokens.plots.style import COLOURS, INK, add_legend, axes_or_new, say_nothing_yet

if TYPE_CHECKING:
    from decimal import Decimal

    import numpy as np
    from numpy.typing import NDArray

_BINS: Final = 40
_MARKS: Final = ((50, "--", "half under {}"), (95, ":", "95 % under {}"))


class Estimated(Protocol):
    """What is drawn of an estimate."""

    @property
    def model(self) -> str:
        """Its model."""

    @property
    def input_tokens_by_row(self) -> NDArray[np.int64]:
        """Tokens of each row; 0 of one without a text."""

    @property
    def cost_usd(self) -> Decimal | None:
        """Of all rows."""

    @property
    def context_window(self) -> int | None:
        """Of the model, in tokens."""

    def percentile(self, share: float) -> float | None:
        """The tokens under which `share` of the rows lie."""


def plot_estimate(found: Estimated, axes: Any = None) -> Any:  # noqa: ANN401 - matplotlib's Axes
    """A histogram of the rows' input tokens, with the median, the 95th percentile, and the context window if near."""
    axes = axes_or_new(axes)
    sent = found.input_tokens_by_row[found.input_tokens_by_row > 0]
    if not len(sent):
        return say_nothing_yet(axes, "No row has a text.")
    least, most = int(sent.min()), int(sent.max())
    axes.hist(sent, bins=min(_BINS, most - least + 1), color=COLOURS[0])
    for share, line, text in _MARKS:
        at = found.percentile(share)
        axes.axvline(at, color=COLOURS[1], linestyle=line, label=text.format(count(at)))
    if found.context_window is not None and most > found.context_window / 2:
        axes.axvline(found.context_window, color=INK, label=f"context window: {count(found.context_window)}")
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("input tokens of a row")
    axes.set_ylabel("rows")
    axes.set_title(f"{count(len(sent))} rows for {found.model}: {usd(found.cost_usd)}")
    add_legend(axes)
    return axes
