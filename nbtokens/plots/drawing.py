"""A plot as a thing to look at: it shows as a picture in any front end, whatever backend matplotlib has."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from nbtokens.plots import PLOTS
from nbtokens.plots.style import apart

if TYPE_CHECKING:
    from nbtokens.views import History, Session

_DPI: Final = 144


class Drawing:
    """One of the plots, in a figure of its own.

    Args:
        name: one of `PLOTS`.
        of: whose calls; the history's if left out.

    Attributes:
        axes: matplotlib's, to change or add to.
    """

    def __init__(self, name: str, of: History | Session | None = None) -> None:
        self.name = name
        self.axes = PLOTS[name](apart(), of=of)

    @property
    def figure(self) -> Any:  # noqa: ANN401 - matplotlib's Figure, which has no types
        """The figure, to save or add to."""
        return self.axes.figure

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """The picture, and how wide it is in pixels of the page."""
        picture = BytesIO()
        self.figure.savefig(picture, format="png", dpi=_DPI)
        return picture.getvalue(), {"width": round(self.figure.get_figwidth() * 96)}

    def __repr__(self) -> str:
        return f"<plot of {self.name}: {self.axes.get_title() or 'nothing yet'}>"
