"""What keeps itself current in a notebook: a widget, and the same as HTML and text for where no widget can live.

A notebook's file keeps two things of it: the widget, which lives as long as a front end can ask the kernel or has
the widget's state; and the same figures as HTML and text, an output of its own, which every reader of the file shows.
Where the widget lives, it hides the other.
"""

from __future__ import annotations

import threading
import uuid
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from IPython.display import display, update_display

from nbtokens.notebook.platforms import prepare_widgets
from nbtokens.notebook.ticker import Ticker

if TYPE_CHECKING:
    from nbtokens.runtime import Runtime

_PAUSE: Final = 0.2
"""Seconds between two updates: at most five in a second, however many calls there are."""

_STATIC: Final = "nbtokens-static"
_HIDE_STATIC: Final = f"<style>.{_STATIC} {{ display: none }}</style>"


class Panel(ABC):
    """A widget, and the same for where no widget can live. What it shows, `html` and `text` say.

    Displayed twice, both show the same. It stops to update when nobody holds it any more, or with `close`. Calls of
    this process wake it; once a second it looks whether another one has written to the history.

    Args:
        runtime: whose calls it shows.
        widgets: whether there is a front end that may show widgets; a terminal shows text.

    Attributes:
        widget: to be put among widgets of one's own.
    """

    def __init__(self, runtime: Runtime, *, widgets: bool = True) -> None:
        import ipywidgets  # noqa: PLC0415 - a tenth of a second, only where a panel is asked for

        self._runtime = runtime
        self._has_widgets = widgets
        self._updating = threading.Lock()
        self._static_id: str | None = None
        self._static: dict[str, str] = {}
        self._seen: object = None
        self.widget = ipywidgets.HTML(value=self._value())
        self._ticker = Ticker(self.update, _PAUSE, self._look if widgets else None)
        runtime.activity.watchers.append(self._ticker.wake)

    @abstractmethod
    def html(self, *, still: bool = False) -> str:
        """What is shown, as HTML; `still` leaves out what holds at one moment only, for a file that is read later."""

    @abstractmethod
    def text(self, *, still: bool = False) -> str:
        """The same as text."""

    def is_of_the_moment(self) -> bool:
        """Whether it shows something now that passes by itself."""
        return False

    def update(self) -> None:
        """Show the present figures. The widget may be told from any thread; nothing is printed or displayed."""
        with self._updating:  # else the figures of before could come last
            self.widget.value = self._value()

    def cell_ended(self) -> None:
        """Bring everything up to date that goes into the notebook's file, where it is displayed.

        What runs a notebook keeps a widget's state as it is at the end of the last cell. The static form may be
        refreshed at the end of a cell only: at another time, it could land in the output of another cell.
        """
        if self._static_id is None or self.closed:
            return
        self.update()
        static = self._static_bundle()
        if static != self._static:
            self._static = static
            update_display(static, display_id=self._static_id, raw=True)  # type: ignore[no-untyped-call]

    @property
    def closed(self) -> bool:
        """Whether it has stopped to update."""
        return self._ticker.closed

    def close(self) -> None:
        """Stop to update; the last figures stay."""
        self._ticker.close()
        if self._ticker.wake in self._runtime.activity.watchers:
            self._runtime.activity.watchers.remove(self._ticker.wake)

    def __del__(self) -> None:
        if hasattr(self, "_ticker"):
            self.close()

    def __repr__(self) -> str:
        return self.text()

    def _ipython_display_(self) -> None:
        if not self._has_widgets:
            print(self)  # noqa: T201 - asked for
            return
        prepare_widgets()
        self.update()
        # Readers that show no widgets show the empty texts in its place, and the figures after them.
        widget = {**self.widget._repr_mimebundle_(), "text/html": "", "text/plain": ""}
        display(widget, raw=True)  # type: ignore[no-untyped-call]
        self._static_id = self._static_id or uuid.uuid4().hex
        self._static = self._static_bundle()
        display(self._static, display_id=self._static_id, raw=True)  # type: ignore[no-untyped-call]

    def _look(self) -> None:
        """Let all that shows figures know what another process has written; the journal's size tells, at no cost."""
        if self._written() != self._seen:
            self._runtime.activity.changed()
        elif self.is_of_the_moment():
            self.update()

    def _written(self) -> object:
        journal = self._runtime.store.journal
        return journal.identity(), journal.size()

    def _value(self) -> str:
        self._seen = self._written()
        return _HIDE_STATIC + self.html()

    def _static_bundle(self) -> dict[str, str]:
        return {
            "text/html": f'<div class="{_STATIC}">{self.html(still=True)}</div>',
            "text/plain": self.text(still=True),
        }
