"""The one guard: a fault of nbtokens' own never reaches the user's call. It is counted and kept for a look."""

from __future__ import annotations

import logging
import traceback
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import TracebackType

logger = logging.getLogger("nbtokens")


class Guard:
    """A context manager that swallows every `Exception` raised inside it.

    `KeyboardInterrupt`, `SystemExit` and the like pass: they are the user's, not ours.

    Attributes:
        failures: how many exceptions were swallowed in this process.
        last_tracebacks: the texts of the latest ones, oldest first.
    """

    def __init__(self, keep: int = 10) -> None:
        self.failures = 0
        self.last_tracebacks: deque[str] = deque(maxlen=keep)

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        del kind, trace
        if error is None or not isinstance(error, Exception):
            return False
        self.note(error)
        return True

    def note(self, error: Exception) -> None:
        """Count and keep an exception that was caught with a plain `except`, where every microsecond counts."""
        self.failures += 1
        self.last_tracebacks.append("".join(traceback.format_exception(error)))
        logger.debug("nbtokens: internal error, swallowed", exc_info=error)


guarded: Final = Guard()
