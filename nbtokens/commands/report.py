"""`nbtokens report`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbtokens.history.store import SUMMARY_NAME
from nbtokens.runtime import runtime
from nbtokens.terminal import say

if TYPE_CHECKING:
    import argparse


class Report:
    """Write .metrics/USAGE_SUMMARY.md anew from the history, and say where it is."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """There are none."""

    def run(self, arguments: argparse.Namespace) -> int:  # noqa: ARG002  # the dispatcher's way
        """Write it."""
        runtime().write_summary()
        say(str(runtime().store.folder / SUMMARY_NAME))
        return 0
