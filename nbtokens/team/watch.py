"""Asks every few seconds what the team's budgets are and what is spent of them. No call waits for it."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

from nbtokens.team.limits import refresh
from nbtokens.team.schema import version_of

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from nbtokens.shared_budgets import Known

EVERY: Final = 2.0
_SOONEST: Final = 0.5
_IDLE_AFTER: Final = 60.0
_WHEN_IDLE: Final = 10.0
_WITH_BUDGETS: Final = "0002"


class Watch:
    """Keeps what a process knows of the budgets current, by the connection of what ships its records.

    Args:
        engine: the database.
        known: what the process knows.
    """

    def __init__(self, engine: Engine, known: Known) -> None:
        self._engine = engine
        self._known = known
        self._started = time.monotonic()
        self._looked, self._share = float("-inf"), 1.0
        self._is_there = False

    def look(self) -> bool:
        """Ask, if it is time; whether it was. A kernel that has run nothing for long asks less often.

        Raises:
            SQLAlchemyError: the database does not answer.
        """
        now = time.monotonic()
        is_idle = now - max(self._started, self._known.awake_at) > _IDLE_AFTER
        if now < self._looked + (_WHEN_IDLE if is_idle else EVERY) * self._share:
            return False
        self._looked = now
        self._share = random.uniform(_SOONEST, 1)  # noqa: S311 - not all who lost the database at once
        with self._engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ")
            self._is_there = self._is_there or (version_of(connection) or "") >= _WITH_BUDGETS
            if self._is_there:
                refresh(connection, self._known)
        return True
