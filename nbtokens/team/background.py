"""The thread that keeps the database up to date, and what is known of budgets, while calls go on. No call waits."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from nbtokens.errors import ConfigError, DatabaseAwayError, NbtokensError
from nbtokens.guard import guarded
from nbtokens.team.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.config import Config
    from nbtokens.history.journal import Journal
    from nbtokens.shared_budgets import Known
    from nbtokens.team.shipper import Shipper

EVERY: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
_LONGER: Final = 2


class Background:
    """Ships every second what is new; after a failure it waits longer each time, a minute at most.

    What is known of budgets is looked after meanwhile at the usual interval, whatever became of the rows.

    Args:
        tell: says something to the user, each sentence once.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._stop = threading.Event()
        self._asked = threading.Event()
        self._done = threading.Event()
        self._loaded = threading.Event()
        self._at_work = threading.Lock()

    def start(self, config: Config, journal: Journal, known: Known) -> None:
        """Begin. Everything else is done on the thread, for imports and connections take their time."""
        known.begin(config)
        arguments = (config, journal, known)
        threading.Thread(target=self._run, args=arguments, name="nbtokens-shipper", daemon=True).start()

    def pause(self, to_load: float, to_rest: float) -> Callable[[], None]:
        """Wait at most so long for what the thread imports, and for its present work; returns what lets it go on.

        A fork in the middle leaves the child with a lock that is held for ever: an import's, or one of SQLite's, which
        takes locks on a file for those of the whole process.
        """
        self._loaded.wait(to_load)
        return self._at_work.release if self._at_work.acquire(timeout=to_rest) else _nothing

    def stop(self, seconds: float) -> bool:
        """Send what is new once more and end, for which it has so many seconds; whether they were enough."""
        self._stop.set()
        self._asked.set()
        return self._done.wait(seconds)

    def _run(self, config: Config, journal: Journal, known: Known) -> None:
        with guarded:
            try:
                shipper = _shipper(config, journal, known)
            except NbtokensError as error:
                progress = Progress.load(config.folder, config.database or "")
                progress.problem = str(error)
                progress.save(config.folder)
                self._tell(f"{error} The records stay in {journal.path}, and are sent once the database can be used.")
            else:
                self._loaded.set()
                self._ship_until_stopped(shipper)
                shipper.close()
        self._loaded.set()
        self._done.set()

    def _ship_until_stopped(self, shipper: Shipper) -> None:
        """Budgets are asked for all the time; when the database answers again, what waited is sent at once."""
        pause, due, away = EVERY, 0.0, False
        while True:
            last, was_away = self._stop.is_set(), away
            with self._at_work:
                away = _is_away(shipper, was_away)
                if last or (was_away and not away) or time.monotonic() >= due:
                    try:
                        shipper.ship()
                        pause = EVERY
                    except NbtokensError as error:  # the doctor tells of it
                        away = away or isinstance(error, DatabaseAwayError)
                        pause = min(pause * _LONGER, _LONGEST_PAUSE)
                    except OSError:  # the folder can't be written
                        pause = _LONGEST_PAUSE
                    due = time.monotonic() + pause
                shipper.rest()
            if last:
                return
            self._asked.wait(EVERY)
            self._asked.clear()


def _nothing() -> None:
    """Nothing is held."""


def _is_away(shipper: Shipper, was_away: bool) -> bool:  # noqa: FBT001 - what was known before
    """Whether the database is away, as far as it was time to ask."""
    try:
        return not shipper.look() and was_away
    except NbtokensError:
        return True


def _shipper(config: Config, journal: Journal, known: Known) -> Shipper:
    try:
        from nbtokens.team.shipper import Shipper  # noqa: PLC0415 - SQLAlchemy, on this thread
    except ImportError as error:
        raise ConfigError(
            f"[tool.nbtokens] database is set, but {error.name} is missing: pip install 'nbtokens[team]'."
        ) from error
    assert config.database is not None
    keep_days = config.settings.database_keep_days
    return Shipper(journal, config.folder, config.database, config.root, keep_days=keep_days, known=known)
