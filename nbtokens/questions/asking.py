"""How a question is asked: its words become arguments, its answer is a report."""

from __future__ import annotations

import argparse
import inspect
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Protocol

from nbtokens.errors import NbtokensError
from nbtokens.options import Options
from nbtokens.reports.renderers import RENDERERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbtokens.reports.report import Report
    from nbtokens.views import History


class Answer(NamedTuple):
    """What a question comes to.

    Attributes:
        report: what is shown.
        exit_code: what the command returns: 1 where the user asked to fail on what was found.
    """

    report: Report
    exit_code: int = 0


class Question(Protocol):
    """What one asks of a history. The docstring of the class is the help text."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the question's own arguments; `--format` and `--json` are everybody's."""

    def answer(self, arguments: argparse.Namespace, history: History) -> Answer:
        """Answer it. A `NbtokensError` says in one line why that can't be done."""


class Helped(Exception):  # noqa: N818 - no error
    """The words asked for help, and got it."""


class _Words(Options):
    """A parser that raises where argparse would end the process."""

    def error(self, message: str) -> NoReturn:
        raise NbtokensError(message)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise Helped(status, message)


def add_format(parser: argparse.ArgumentParser) -> None:
    """Declare `--format` and `--json`."""
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--format", choices=tuple(RENDERERS), help="how to write the answer")
    formats.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Declare `--json` of a command that does something and says what came of it."""
    parser.add_argument("--json", action="store_true", help="say what came of it as a JSON object, on one line")


def parse(name: str, question: Question, words: Sequence[str]) -> argparse.Namespace:
    """The arguments that some words stand for, without ending the process where they are wrong.

    Raises:
        NbtokensError: they are wrong.
        Helped: they asked for help, which is printed.
    """
    parser = words_parser(name, question)
    question.add_arguments(parser)
    add_format(parser)
    return parser.parse_args(words)


def words_parser(name: str, thing: object) -> argparse.ArgumentParser:
    """A parser that raises where argparse would end the process; its help is the docstring of a class."""
    return _Words(prog=name, description=inspect.getdoc(thing), formatter_class=argparse.RawDescriptionHelpFormatter)
