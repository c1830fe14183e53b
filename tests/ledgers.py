"""The ledger of a test, scripts that write it, and the thread that writes in the background."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from servers import PATIENCE, wait_until

import nbtokens
from nbtokens.runtime import runtime

ROOT: Final = Path(nbtokens.__file__).parents[1]
"""The repository's folder."""


@dataclass(frozen=True)
class Ledger:
    """The ledger's folder of one test, read as its user would read it.

    Attributes:
        folder: `.metrics` in the test's working directory.
    """

    folder: Path

    @property
    def path(self) -> Path:
        """The history's file."""
        return self.folder / "usage_history.json"

    def rows(self, kind: str | None = "call") -> list[dict[str, Any]]:
        """The rows in the file, those of one kind or all of them; money as exact decimals."""
        if not self.path.exists():
            return []
        text = self.path.read_text(encoding="utf-8")
        if not text:  # just made, by a process that writes into it in this moment
            return []
        rows = json.loads(text, parse_float=Decimal, object_hook=_only_money_exact)
        return [row for row in rows if kind in (None, row["kind"])]

    def only(self) -> dict[str, Any]:
        """The one row that there is."""
        rows = self.rows(None)
        assert len(rows) == 1, rows
        return rows[0]

    def wait_for(self, count: int, kind: str = "call") -> list[dict[str, Any]]:
        """Wait until so many rows are there, for what is written in the background."""

        def are_there() -> bool:
            try:
                return len(self.rows(kind)) >= count
            except json.JSONDecodeError:  # read in the middle of a write
                return False

        wait_until(are_there)
        rows = self.rows(kind)
        assert len(rows) == count, rows
        return rows

    def everything(self) -> bytes:
        """The bytes of all files in the folder, and their names."""
        let_the_writer_finish()
        files = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        return b"\n".join(path.name.encode() + b"\n" + path.read_bytes() for path in files)


def _only_money_exact(read: dict[str, Any]) -> dict[str, Any]:
    return {
        name: float(value) if isinstance(value, Decimal) and not name.endswith("_usd") else value
        for name, value in read.items()
    }


@dataclass(frozen=True)
class Script:
    """Runs Python scripts in processes of their own, in the folder of the test's project."""

    folder: Path

    def __call__(self, source: str, *arguments: str, **environment: str) -> str:
        """Run a script to its end; it must succeed. Returns what it printed.

        Args:
            source: the script's text.
            *arguments: its `sys.argv[1:]`.
            **environment: variables besides those of this process.
        """
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(source), *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def let_the_writer_finish() -> None:
    """Wait until the thread that writes in the background has done what it was woken for."""
    assert runtime().wait_for_writer(PATIENCE)
