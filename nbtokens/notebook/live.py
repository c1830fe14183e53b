"""The live panel: session and cumulative figures that keep themselves current while cells run.

A notebook's file keeps two things of it: the widget, which lives as long as a front end can ask the kernel or has
the widget's state; and the same figures as HTML and text, an output of its own, which every reader of the file shows.
Where the widget lives, it hides the other.
"""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING, Final

from IPython.display import display, update_display

from nbtokens.notebook.platforms import prepare_widgets
from nbtokens.notebook.ticker import Ticker
from nbtokens.reports.live import Bar, Live, live, live_html, live_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbtokens.notebook.preferences import NbTokens
    from nbtokens.notebook.timeline import Timeline
    from nbtokens.runtime import Runtime

_PAUSE: Final = 0.2
"""Seconds between two updates: at most five in a second, however many calls there are."""

_STATIC: Final = "nbtokens-static"
_HIDE_STATIC: Final = f"<style>.{_STATIC} {{ display: none }}</style>"


class LivePanel:
    """A widget with the figures, and the same figures for where no widget can live.

    Displayed twice, both show the same. It stops to update when nobody holds it any more, or with `close`.

    Args:
        runtime: whose figures they are.
        timeline: how the session's cost has grown.
        preferences: whether money is shown.
        bars: how much of the budgets in force is used.
        widgets: whether there is a front end that may show widgets; a terminal shows text.

    Attributes:
        widget: to be put among widgets of one's own.
    """

    def __init__(
        self,
        runtime: Runtime,
        timeline: Timeline,
        preferences: NbTokens,
        bars: Callable[[], Sequence[Bar]] = tuple,
        *,
        widgets: bool = True,
    ) -> None:
        import ipywidgets  # noqa: PLC0415 - a tenth of a second, only where a panel is asked for

        self._runtime = runtime
        self._timeline = timeline
        self._preferences = preferences
        self._bars = bars
        self._has_widgets = widgets
        self._updating = threading.Lock()
        self._static_id: str | None = None
        self._static: dict[str, str] = {}
        self.widget = ipywidgets.HTML(value=self._value())
        self._ticker = Ticker(self.update, _PAUSE)
        runtime.activity.watchers.append(self._ticker.wake)

    def update(self) -> None:
        """Show the present figures. The widget may be told from any thread; nothing is printed or displayed."""
        with self._updating:  # else the figures of before could come last
            self.widget.value = self._value()

    def cell_ended(self) -> None:
        """Bring everything up to date that goes into the notebook's file, where it is displayed.

        What runs a notebook keeps a widget's state as it is at the end of the last cell. The static form may be
        refreshed at the end of a cell only: at another time, it could land in the output of another cell.
        """
        if self._static_id is None:
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
        return live_text(self._now())

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

    def _now(self) -> Live:
        timeline, session = self._timeline, self._runtime.session
        timeline.follow(session.started_at)
        return live(
            session,
            self._runtime.history,
            in_flight=len(self._runtime.activity.in_flight),
            tokens_per_second=timeline.speed(),
            growth=timeline.growth(),
            bars=self._bars(),
            hide_cost=self._preferences.hide_cost,
        )

    def _value(self) -> str:
        return _HIDE_STATIC + live_html(self._now())

    def _static_bundle(self) -> dict[str, str]:
        now = self._now()
        html = f'<div class="{_STATIC}">{live_html(now, still=True)}</div>'
        return {"text/html": html, "text/plain": live_text(now, still=True)}
