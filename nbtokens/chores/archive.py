"""`archive`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nbtokens.amounts import count
from nbtokens.chores.moments import moment
from nbtokens.history import upkeep
from nbtokens.questions.asking import add_json
from nbtokens.reports.as_json import json_line
from nbtokens.runtime import runtime
from nbtokens.terminal import say

if TYPE_CHECKING:
    import argparse


class Archive:
    """Move past months of the history into Parquet files, a folder for each month.

    They go to .metrics/archive/year=2026/month=11/, where every command of nbtokens still sees them, and which DuckDB,
    Dask and Spark open as it is. A dated backup of the history is kept. Needs: pip install 'nbtokens[archive]'
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare --before and --json."""
        parser.add_argument(
            "--before",
            type=moment,
            metavar="MONTH",
            help="only months before this one (2026-10 or 2026-10-01); by default all before the present one",
        )
        add_json(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it, and say what was moved."""
        store = runtime().store
        outcome = upkeep.archive(store, arguments.before or datetime.now(UTC))
        if arguments.json:
            say(json_line(rows=outcome.rows, files=outcome.files, backup=outcome.backup))
            return 0
        say(f"{count(outcome.rows)} rows moved into {len(outcome.files)} files below {store.archive.folder}")
        for path in outcome.files:
            say(f"  {path.relative_to(store.archive.folder)}")
        say(f"Backup: {outcome.backup}")
        return 0
