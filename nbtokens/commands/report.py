"""`nbtokens report`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from nbtokens.history.store import SUMMARY_NAME
from nbtokens.runtime import runtime
from nbtokens.terminal import say

if TYPE_CHECKING:
    import argparse


class Report:
    """Write .metrics/USAGE_SUMMARY.md anew from the history, and say where it is."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare --json."""
        parser.add_argument("--json", action="store_true", help="say where as a JSON object")

    def run(self, arguments: argparse.Namespace) -> int:
        """Write it."""
        runtime().write_summary()
        path = str(runtime().store.folder / SUMMARY_NAME)
        say(json.dumps({"path": path}) if arguments.json else path)
        return 0
