"""A history as the tests hold it: the store, what it told its user, and the file as its user would read it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nbtokens.history.store import Store

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Opened:
    """A history in a folder.

    Attributes:
        folder: where it lies; opening makes nothing.
        told: what the store told its user.
        store: the store.
    """

    folder: Path
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = Store(self.folder, self.told.append)

    @property
    def path(self) -> Path:
        """The file."""
        return self.store.journal.path

    def rows(self) -> list[dict[str, Any]]:
        """The file's rows, after a check that it is valid JSON with one record on each line."""
        text = self.path.read_text(encoding="utf-8")
        found: list[dict[str, Any]] = json.loads(text)
        lines = [line.strip().removesuffix(",") for line in text.splitlines()]
        assert [json.loads(line) for line in lines if line.startswith("{")] == found
        return found

    def ids(self) -> list[str]:
        """The ids of the file's rows, after the same check."""
        return [row["id"] for row in self.rows()]
