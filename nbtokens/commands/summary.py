"""`nbtokens summary`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbtokens
from nbtokens.commands.terminal import say

if TYPE_CHECKING:
    import argparse


class Summary:
    """Print the usage summary of the project that the working directory belongs to.

    It is what .metrics/USAGE_SUMMARY.md holds, rendered anew from the history: calls, tokens and cost, by model,
    by operation and by notebook, and the last calls.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """There are none."""

    def run(self, arguments: argparse.Namespace) -> int:  # noqa: ARG002  # the dispatcher's way
        """Print it."""
        say(nbtokens.history().summary())
        return 0
