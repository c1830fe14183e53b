"""The live panel: session and cumulative figures that keep themselves current while cells run."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any, Final

from nbtokens.guard import guarded
from nbtokens.reports.html import html
from nbtokens.reports.live import live_report
from nbtokens.reports.text import text

if TYPE_CHECKING:
    from nbtokens.record import Record
    from nbtokens.runtime import Runtime

_PAUSE: Final = 0.2
"""Seconds between two updates: at most five in a second, however many calls there are."""


class LivePanel:
    """A widget with the figures, and the same figures as static HTML and text for where no widget can live.

    Displayed twice, both show the same. It stops to update when nobody holds it any more, or with `close`.
    """

    def __init__(self, runtime: Runtime) -> None:
        import ipywidgets  # noqa: PLC0415 - a tenth of a second, only where a panel is asked for

        self._runtime = runtime
        self.widget = ipywidgets.HTML(value=self._html())
        self._changed = threading.Event()
        self._closed = threading.Event()
        self._subscriber = _subscriber(self._changed)
        runtime.subscribers.append(self._subscriber)
        weakref.finalize(self, _let_go, runtime, self._subscriber, self._changed, self._closed)
        args = (weakref.ref(self), self._changed, self._closed)
        threading.Thread(target=_keep_current, args=args, name="nbtokens-live", daemon=True).start()

    def update(self) -> None:
        """Show the present figures."""
        self.widget.value = self._html()

    @property
    def closed(self) -> bool:
        """Whether it has stopped to update."""
        return self._closed.is_set()

    def close(self) -> None:
        """Stop to update; the last figures stay."""
        _let_go(self._runtime, self._subscriber, self._changed, self._closed)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:  # noqa: ANN401 - IPython's own signature
        self.update()
        bundle: dict[str, Any] = dict(self.widget._repr_mimebundle_())
        report = self._report()
        return bundle | {"text/html": html(report), "text/plain": text(report)}

    def _report(self) -> Any:  # noqa: ANN401 - see live_report
        return live_report(self._runtime.session, self._runtime.history)

    def _html(self) -> str:
        return html(self._report())


def _subscriber(changed: threading.Event) -> Any:  # noqa: ANN401 - a function
    def on_record(_: Record) -> None:
        if not changed.is_set():
            changed.set()

    return on_record


def _let_go(runtime: Runtime, subscriber: Any, changed: threading.Event, closed: threading.Event) -> None:  # noqa: ANN401
    closed.set()
    changed.set()
    if subscriber in runtime.subscribers:
        runtime.subscribers.remove(subscriber)


def _keep_current(panel: weakref.ref[LivePanel], changed: threading.Event, closed: threading.Event) -> None:
    while changed.wait() and not closed.is_set():
        changed.clear()
        here = panel()
        if here is None:
            return
        with guarded:
            here.update()
        del here
        closed.wait(_PAUSE)
