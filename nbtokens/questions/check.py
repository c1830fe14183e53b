"""`check`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from nbtokens.analysis.flag import KINDS
from nbtokens.analysis.flags import flags_of
from nbtokens.analysis.scores import low_scores
from nbtokens.questions.asking import Answer
from nbtokens.questions.closest import check_names
from nbtokens.questions.selecting import add_selection, selection
from nbtokens.reports.flags import flags_report
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from nbtokens.views import History

_ANY = "any"


class Check:
    """Red flags: throttling, cut off answers, outliers, slow models, errors and retries, rate limits, low scores.

    From where on is set in [tool.nbtokens.thresholds]. The exit code is 1 where --fail-on names what was found.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare --fail-on and the selection."""
        parser.add_argument(
            "--fail-on",
            type=_kinds,
            default=(),
            metavar="FLAG[,FLAG...]",
            help=f"exit code 1 if one of these is found: {', '.join(KINDS)}, or {_ANY}",
        )
        add_selection(parser)

    def answer(self, arguments: argparse.Namespace, history: History) -> Answer:
        """What is wrong with the calls."""
        limits, which = runtime().config.settings.thresholds, selection(arguments)
        found = history.findings(which, limits)
        if not found.count:
            check_names(which, history)
        flags = flags_of(found, limits)
        if limits.scores:
            flags += low_scores(history.average_scores(which, ["operation"])["operation"], limits.scores)
        failing = any(flag.kind in arguments.fail_on or _ANY in arguments.fail_on for flag in flags)
        return Answer(flags_report(found.count, flags, limits.least_calls), int(failing))


def _kinds(text: str) -> tuple[str, ...]:
    kinds = tuple(text.replace("-", "_").split(","))
    for kind in kinds:
        if kind not in (*KINDS, _ANY):
            raise argparse.ArgumentTypeError(f"{kind!r} is no flag; known are {', '.join(KINDS)}, and {_ANY}")
    return kinds
