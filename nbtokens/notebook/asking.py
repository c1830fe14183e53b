"""Questions and chores as magics: `%tokens stats`, `%tokens verify` and their kin."""

from __future__ import annotations

import difflib
import shlex
from contextlib import closing
from typing import TYPE_CHECKING, Final

from IPython.core.error import UsageError

from nbtokens.chores import CHORES
from nbtokens.decimals import exactly
from nbtokens.errors import NbtokensError
from nbtokens.questions import QUESTIONS
from nbtokens.questions.asking import Helped, parse, words_parser
from nbtokens.questions.team import FLAG, check_team_question, team_overview, team_view
from nbtokens.reports.renderers import RENDERERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nbtokens.reports.report import Report
    from nbtokens.views import History


_OF_SESSIONS: Final = ("check", "cost", "scores", "stats", "validate", "whatif")
"""The questions that may be asked of one session."""


@exactly
def ask(line: str, others: Iterable[str], history: History, presented: Callable[[Report], Report]) -> Report | None:
    """Answer what a line asks, or do it; with `--format`, by printing it in that way.

    Args:
        line: what stands behind `%tokens`.
        others: words that are no questions, to find the closest one where the line's is unknown.
        history: of which it is asked.
        presented: gives a report the form that the user wishes, as without money.
    """
    try:
        name, *words = shlex.split(line)
        if name == FLAG:
            return _ask_team(words, presented)
        if name in CHORES:
            _do(name, words)
            return None
        question = QUESTIONS.get(name)
        if question is None:
            close = difflib.get_close_matches(name, [*others, *QUESTIONS, *CHORES], n=1)
            hint = f"Did you mean `%tokens {close[0]}`?" if close else "See `%tokens help`."
            raise UsageError(f"%tokens has no {name!r}. {hint}")
        arguments = parse(f"%tokens {name}", question, _in_full(name, words))
        report = presented(question.answer(arguments, history).report)
    except (NbtokensError, ValueError) as error:
        raise UsageError(f"%tokens {line.split(maxsplit=1)[0]}: {error}") from error
    except Helped:
        return None
    return _in_format(report, arguments.format)


def _do(name: str, words: list[str]) -> None:
    """Do what the command of this name does; it prints what it has done."""
    parser = words_parser(f"%tokens {name}", CHORES[name])
    CHORES[name].add_arguments(parser)
    CHORES[name].run(parser.parse_args(words))


def _in_full(name: str, words: list[str]) -> list[str]:
    """A last word `session` stands for `--session this`, as it does behind `%tokens cells`."""
    short = name in _OF_SESSIONS and words[-1:] == ["session"] and words[-2:-1] != ["--session"]
    return [*words[:-1], "--session", "this"] if short else words


def _ask_team(words: list[str], presented: Callable[[Report], Report]) -> Report | None:
    """The same of the team's database; without words: what the team used."""
    if not words:
        with closing(team_view()) as team:
            return presented(team_overview(team).report)
    check_team_question(words[0])
    question = QUESTIONS[words[0]]
    arguments = parse(f"%tokens {FLAG} {words[0]}", question, words[1:])
    with closing(team_view(words[0])) as team:
        report = presented(question.answer(arguments, team).report)
    return _in_format(report, arguments.format)


def _in_format(report: Report, form: str | None) -> Report | None:
    if form is None:
        return report
    print(RENDERERS[form](report).rstrip())  # noqa: T201 - asked for
    return None
