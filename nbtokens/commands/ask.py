"""Questions as commands: `nbtokens stats` and its kin."""

from __future__ import annotations

import inspect
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from nbtokens.questions.asking import Answer, Question, add_format
from nbtokens.questions.team import team_overview, team_view
from nbtokens.reports.renderers import RENDERERS
from nbtokens.reports.terminal import show
from nbtokens.runtime import runtime
from nbtokens.terminal import say

if TYPE_CHECKING:
    import argparse


class Ask:
    """A command that answers a question."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self.__doc__ = inspect.getdoc(question)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the question's arguments and `--format`."""
        self._question.add_arguments(parser)
        add_format(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        """Print the answer: in colour on a terminal, as plain text elsewhere, or in the format that was asked for."""
        if not arguments.team:
            return show_answer(self._question.answer(arguments, runtime().history), arguments.format)
        with closing(team_view(arguments.command)) as team:
            return show_answer(self._question.answer(arguments, team), arguments.format)


def show_answer(answer: Answer, form: str | None) -> int:
    """Print an answer in a format, the one that fits where none is named; returns the exit code."""
    if form is None and sys.stdout.isatty():
        show(answer.report, sys.stdout)
    else:
        say(RENDERERS[form or "text"](answer.report).rstrip())
    return answer.exit_code


def show_team() -> int:
    """Print what the team used."""
    with closing(team_view()) as team:
        return show_answer(team_overview(team), None)
