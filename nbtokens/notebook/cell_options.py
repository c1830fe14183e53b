"""What stands behind `%%tokens`: `%%tokens --op summarise -o spent --quiet`."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import dataclass
from typing import Final, NoReturn

from nbtokens.errors import NbtokensError
from nbtokens.limits import Limit, make_limit


@dataclass(frozen=True, slots=True)
class CellOptions:
    """How a cell is measured.

    Attributes:
        operation: the label of its calls.
        variable: the name that its figures get in the user's namespace.
        quiet: show nothing below the cell.
        budget: what its calls may cost together; None for no limit.
    """

    operation: str | None = None
    variable: str | None = None
    quiet: bool = False
    budget: Limit | None = None


class _Parser(argparse.ArgumentParser):
    """Raises where argparse would end the process."""

    def error(self, message: str) -> NoReturn:
        raise NbtokensError(f"%%tokens: {message}. It takes {', '.join(CELL_OPTIONS)}.")


def _parser() -> _Parser:
    parser = _Parser(prog="%%tokens", add_help=False, allow_abbrev=False)
    parser.add_argument("--op", metavar="NAME")
    parser.add_argument("-o", metavar="VARIABLE")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--budget", metavar="USD")
    return parser


_PARSER: Final = _parser()

CELL_OPTIONS: Final = tuple(
    name
    for action in _PARSER._actions  # noqa: SLF001 - argparse has no public way to list what was declared
    for name in action.option_strings
)
"""The options that may stand behind `%%tokens`."""


def read_cell_options(line: str) -> CellOptions:
    """The options that a line names; what follows a `#` is a comment.

    Raises:
        NbtokensError: there is no such option, or a value is missing or can't be used.
    """
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise NbtokensError(f"%%tokens: {error} in {line!r}.") from error
    known, unknown = _PARSER.parse_known_args(words)
    if unknown:
        import difflib  # noqa: PLC0415 - a wrong word is rare

        close = difflib.get_close_matches(unknown[0], CELL_OPTIONS, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"It takes {', '.join(CELL_OPTIONS)}."
        raise NbtokensError(f"%%tokens has no {unknown[0]!r}. {hint}")
    if known.o is not None and not known.o.isidentifier():
        raise NbtokensError(f"%%tokens: -o wants a name for a variable, not {known.o!r}.")
    limit = None if known.budget is None else make_limit(known.budget, per="cell")
    return CellOptions(operation=known.op, variable=known.o, quiet=known.quiet, budget=limit)
