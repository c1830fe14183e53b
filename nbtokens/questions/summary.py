"""`summary`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nbtokens.analysis.token_stats import stats_of_totals
from nbtokens.questions.asking import Answer
from nbtokens.reports.summary import summary_report
from nbtokens.reports.token_stats import stats_data

if TYPE_CHECKING:
    import argparse

    from nbtokens.views import History


class Summary:
    """The usage summary of the project: what .metrics/USAGE_SUMMARY.md holds, made anew from the history.

    Calls, tokens and cost, by model, by operation and by notebook, and the last calls.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """There are none."""

    def answer(self, arguments: argparse.Namespace, history: History) -> Answer:  # noqa: ARG002 - a question's way
        """The page."""
        totals = history.totals
        data = stats_data(stats_of_totals(totals, ("model", "operation", "notebook")))
        return Answer(replace(summary_report(totals, datetime.now(UTC)), data=data))
