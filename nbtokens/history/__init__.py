"""What was recorded, for good: the journal, and totals derived from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbtokens.history.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Store", "open_history"]


def open_history(
    folder: Path, tell: Callable[[str], None], *, durable: bool = False, keep_days: int | None = None
) -> Store:
    """The history in a folder. Nothing is read or made until it is used."""
    return Store(folder, tell, durable=durable, keep_days=keep_days)
