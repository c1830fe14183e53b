"""Making the ledger's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_folder(folder: Path) -> None:
    """Make the ledger's folder, and tell git to leave out what is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text(
            "# Written by nbtokens. The ledger grows with every call and is your own; to keep it in git all the same,\n"
            "# add the lines !usage_history.json and !USAGE_SUMMARY.md. Never commit fingerprint.key.\n"
            "*\n!.gitignore\n!README.md\n",
            encoding="utf-8",
        )
