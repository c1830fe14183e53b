"""The `nbtokens` command."""

from __future__ import annotations

import argparse
import difflib
import inspect
import re
from typing import TYPE_CHECKING, NoReturn

from nbtokens._version import __version__
from nbtokens.commands import COMMANDS
from nbtokens.commands.ask import show_team
from nbtokens.errors import NbtokensError
from nbtokens.options import Options
from nbtokens.questions.team import check_team_question
from nbtokens.terminal import complain, forget_output, replace_unprintable

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXIT_ERROR = 2
_EXIT_INTERRUPTED = 130


class _Commands(Options):
    """Names the closest command where there is none of a name."""

    def error(self, message: str) -> NoReturn:
        asked = re.match(r"argument COMMAND: invalid choice: '([^']*)'", message)
        close = difflib.get_close_matches(asked[1], COMMANDS, n=1) if asked is not None else []
        if asked is not None:
            hint = f"did you mean {close[0]!r}?" if close else "`nbtokens --help` lists them all"
            message = f"there is no command {asked[1]!r}; {hint}"
        super().error(message)


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line, with a part for each command."""
    top = _Commands(prog="nbtokens", description="What the LLM calls of your notebooks cost.")
    top.add_argument("--version", action="version", version=f"nbtokens {__version__}")
    top.add_argument("--team", action="store_true", help="ask the team's database; alone: what the team used")
    parts = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=Options)
    for name, command in COMMANDS.items():
        text = inspect.getdoc(command) or ""
        part = parts.add_parser(
            name,
            help=text.partition("\n")[0],
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(part)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` names (by default the process's own arguments), and return its exit code."""
    replace_unprintable()
    arguments = parser().parse_args(argv)
    if arguments.command is None and not arguments.team:
        parser().error("the following arguments are required: COMMAND")
    try:
        if arguments.command is None:
            return show_team()
        if arguments.team:
            check_team_question(arguments.command)
        return COMMANDS[arguments.command].run(arguments)
    except NbtokensError as error:
        complain(f"nbtokens {arguments.command or '--team'}: {error}")
        return _EXIT_ERROR
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever read the output, `head` for one, has seen enough
        forget_output()
        return 1
