"""Questions as magics: `%tokens stats` and its kin."""

from __future__ import annotations

import difflib
import shlex
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from nbtokens.errors import NbtokensError
from nbtokens.questions import QUESTIONS
from nbtokens.questions.asking import Helped, parse
from nbtokens.reports.renderers import RENDERERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nbtokens.reports.report import Report
    from nbtokens.views import History


def ask(line: str, others: Iterable[str], history: History, presented: Callable[[Report], Report]) -> Report | None:
    """Answer what a line asks; with `--format`, by printing it in that way.

    Args:
        line: what stands behind `%tokens`.
        others: words that are no questions, to find the closest one where the line's is unknown.
        history: of which it is asked.
        presented: gives a report the form that the user wishes, as without money.
    """
    try:
        name, *words = shlex.split(line)
        question = QUESTIONS.get(name)
        if question is None:
            close = difflib.get_close_matches(name, [*others, *QUESTIONS], n=1)
            hint = f"Did you mean `%tokens {close[0]}`?" if close else "See `%tokens help`."
            raise UsageError(f"%tokens has no {name!r}. {hint}")
        arguments = parse(f"%tokens {name}", question, words)
        report = presented(question.answer(arguments, history).report)
    except (NbtokensError, ValueError) as error:
        raise UsageError(f"%tokens {line.split(maxsplit=1)[0]}: {error}") from error
    except Helped:
        return None
    if arguments.format is None:
        return report
    print(RENDERERS[arguments.format](report).rstrip())  # noqa: T201 - asked for
    return None
