"""`nbtokens autoload`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nbtokens.questions.asking import add_json
from nbtokens.reports.as_json import json_line
from nbtokens.terminal import say

if TYPE_CHECKING:
    import argparse

    from nbtokens.notebook.autoload import Autoload as File


class Autoload:
    """Load nbtokens in every kernel and IPython of this user: `on`, `off`; alone, it says which of them holds.

    It is a few lines in IPython's own configuration file. They are shown before they are written, and `off` takes
    them out again.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what to do, and where."""
        parser.add_argument("switch", nargs="?", choices=("on", "off"), help="what to do")
        parser.add_argument("--yes", action="store_true", help="write without asking")
        parser.add_argument("--profile", default="default", metavar="NAME", help="IPython's profile (default)")
        add_json(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it, or say how it is."""
        from nbtokens.notebook.autoload import Autoload as File  # noqa: PLC0415 - IPython takes a while

        file = File.of_profile(arguments.profile)
        wanted = file.on if arguments.switch is None else arguments.switch == "on"
        if file.on and not wanted:
            file.switch_off()
        elif wanted and not file.on:
            _switch_on(file, yes=arguments.yes, quiet=arguments.json)
        if arguments.json:
            say(json_line(on=file.on, path=file.path))
        elif file.on == wanted:
            say(f"autoload is {'on' if wanted else 'off'}: {file.path}")
        return 0 if file.on == wanted else 1


def _switch_on(file: File, *, yes: bool, quiet: bool) -> None:
    from nbtokens.notebook.autoload import LINES  # noqa: PLC0415 - the same

    if not quiet:
        say(f"These lines go to the end of {file.path}:\n\n{LINES}")
    if yes or (not quiet and _agreed()):
        file.switch_on()
    elif not quiet:
        say("Nothing was written. `nbtokens autoload on --yes` writes them.")


def _agreed() -> bool:
    """Whether somebody sits there and says yes."""
    if not sys.stdin.isatty():
        return False
    return input("Write them? [y/N] ").strip().lower() in ("y", "yes")
