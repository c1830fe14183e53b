"""Sending the history to the team's database in the background, where one is set; where none is, nothing is loaded."""

from __future__ import annotations

import atexit
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.config import Config
    from nbtokens.history.journal import Journal
    from nbtokens.shared_budgets import Known
    from nbtokens.team.background import Background

_LAST_WAIT = 4.0
_TO_REST = 1.0


class Shipping:
    """What sends, while recording is on. At the process's exit it has a few seconds for what is still to be sent.

    Args:
        tell: says something to the user, each sentence once.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._lock = Lock()
        self._config: Config | None = None
        self._background: Background | None = None
        self._resume: tuple[Config, Journal, Known] | None = None
        self._to_go_on: list[Callable[[], None]] = []
        atexit.register(lambda: self.stop(_LAST_WAIT))

    def start(self, config: Config, journal: Journal, known: Known) -> None:
        """Begin, if a database is set and this is not under way; `known` learns of the team's budgets."""
        with self._lock:
            if self._background is not None and self._config == config:
                return
            self._stop(0.0)
            if config.database is None:
                known.begin(config)
                return
            from nbtokens.team.background import Background  # noqa: PLC0415 - SQLAlchemy is loaded on its thread

            self._config, self._background, self._resume = config, Background(self._tell), (config, journal, known)
            self._background.start(config, journal, known)

    def stop(self, seconds: float) -> bool:
        """Send what is new and end, in the background; wait so long for it, and say whether that was enough."""
        with self._lock:
            return self._stop(seconds)

    def _stop(self, seconds: float) -> bool:
        background, self._background = self._background, None
        return background is None or background.stop(seconds)

    def before_fork(self, seconds: float) -> None:
        """Let an import that is under way on the thread end, which takes at most so long, and its present work."""
        if self._background is not None:
            self._to_go_on.append(self._background.pause(seconds, _TO_REST))

    def after_fork_in_parent(self) -> None:
        """The fork is done."""
        while self._to_go_on:
            self._to_go_on.pop()()

    def after_fork(self) -> None:
        """In a forked child: the parent sends the rows of both, until the child makes a call of its own."""
        self._lock, self._to_go_on = Lock(), []
        resume = self._resume if self._background is not None else None
        self._background = None
        if resume is not None:
            resume[2].alone = lambda: self.start(*resume)
