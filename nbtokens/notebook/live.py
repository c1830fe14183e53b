"""The live panel: session and cumulative figures that keep themselves current while cells run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbtokens.notebook.panel import Panel
from nbtokens.reports.live import Bar, Live, live, live_html, live_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbtokens.notebook.preferences import NbTokens
    from nbtokens.notebook.timeline import Timeline
    from nbtokens.runtime import Runtime


class LivePanel(Panel):
    """A panel with the figures.

    Args:
        runtime: whose figures they are.
        timeline: how the session's cost has grown.
        preferences: whether money is shown.
        bars: how much of the budgets in force is used.
        widgets: whether there is a front end that may show widgets.
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
        self._timeline = timeline
        self._preferences = preferences
        self._bars = bars
        self._shows_speed = False
        super().__init__(runtime, widgets=widgets)

    def html(self, *, still: bool = False) -> str:
        """The figures as HTML."""
        return live_html(self._now(), still=still)

    def text(self, *, still: bool = False) -> str:
        """The figures as text."""
        return live_text(self._now(), still=still)

    def is_of_the_moment(self) -> bool:
        """A speed is that of the last seconds."""
        return self._shows_speed

    def _now(self) -> Live:
        timeline, session = self._timeline, self._runtime.session
        timeline.follow(session.started_at)
        speed = timeline.speed()
        self._shows_speed = speed is not None
        return live(
            session,
            self._runtime.history,
            in_flight=len(self._runtime.activity.in_flight),
            tokens_per_second=speed,
            growth=timeline.growth(),
            bars=self._bars(),
            hide_cost=self._preferences.hide_cost,
        )
