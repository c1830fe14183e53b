"""`nbtokens report`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbtokens.errors import NbtokensError
from nbtokens.history.store import SUMMARY_NAME
from nbtokens.questions.asking import add_json
from nbtokens.reports.as_json import json_line
from nbtokens.runtime import runtime
from nbtokens.terminal import say

if TYPE_CHECKING:
    import argparse


class Report:
    """Write .metrics/USAGE_SUMMARY.md anew from the history, and say where it is."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare --json."""
        add_json(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        """Write it."""
        now = runtime()
        path = now.store.folder / SUMMARY_NAME
        if not now.store.folder.is_dir():
            raise NbtokensError(f"nothing is recorded yet, so there is no {path}")
        if not now.store.write_summary(now.history.summary()):
            raise NbtokensError(f"{path} can't be written")
        say(json_line(path=path) if arguments.json else str(path))
        return 0
