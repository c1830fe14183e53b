"""Telling the front end's status bar what to show, over a comm; the other end is the folder `labextension`.

The kernel opens the comm, and says what to show whenever that changes. A page that comes later finds the comm and
sends any message to be told. Front ends that know nothing of it close it, and nothing more is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nbtokens.guard import guarded
from nbtokens.notebook.ticker import Ticker
from nbtokens.reports.status import Status, status

if TYPE_CHECKING:
    from nbtokens.notebook.preferences import NbTokens
    from nbtokens.runtime import Runtime

TARGET: Final = "nbtokens"
_PAUSE: Final = 0.5


class StatusBar:
    """One comm, kept current.

    Args:
        runtime: whose figures are told.
        preferences: whether money is shown.
    """

    def __init__(self, runtime: Runtime, preferences: NbTokens) -> None:
        from comm import create_comm  # noqa: PLC0415 - a kernel has it; a terminal needs none

        self._runtime = runtime
        self._preferences = preferences
        self._told = self._status()
        self._comm: Any = create_comm(target_name=TARGET, data=self._told._asdict())
        self._comm.on_msg(self._asked)
        self._comm.on_close(self._ended)
        self._ticker = Ticker(self._tell, _PAUSE)
        runtime.activity.watchers.append(self._ticker.wake)

    def close(self) -> None:
        """Tell nothing more; the item disappears."""
        if not self._ticker.closed:
            self._ended(None)
            with guarded:
                self._comm.close()

    def _tell(self) -> None:
        now = self._status()
        if now != self._told:
            self._send(now)

    def _asked(self, _: object) -> None:
        with guarded:
            self._send(self._status())

    def _ended(self, _: object) -> None:
        self._ticker.close()
        if self._ticker.wake in self._runtime.activity.watchers:
            self._runtime.activity.watchers.remove(self._ticker.wake)

    def _send(self, now: Status) -> None:
        self._told = now
        self._comm.send(now._asdict())

    def _status(self) -> Status:
        return status(self._runtime.session.sums, self._runtime.history.sums, hide_cost=self._preferences.hide_cost)
