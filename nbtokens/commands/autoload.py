"""`nbtokens autoload`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

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

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it, or say how it is."""
        from nbtokens.notebook.autoload import Autoload as File  # noqa: PLC0415 - IPython takes a while

        file = File.of_profile(arguments.profile)
        if arguments.switch is None:
            say(f"autoload is {'on' if file.on else 'off'}: {file.path}")
        elif arguments.switch == "on":
            return _switch_on(file, yes=arguments.yes)
        else:
            file.switch_off()
            say(f"autoload is off: {file.path}")
        return 0


def _switch_on(file: File, *, yes: bool) -> int:
    from nbtokens.notebook.autoload import LINES  # noqa: PLC0415 - the same

    if not file.on:
        say(f"These lines go to the end of {file.path}:\n\n{LINES}")
        if not yes and not _agreed():
            say("Nothing was written. `nbtokens autoload on --yes` writes them.")
            return 1
        file.switch_on()
    say(f"autoload is on: {file.path}")
    return 0


def _agreed() -> bool:
    """Whether somebody sits there and says yes."""
    if not sys.stdin.isatty():
        return False
    return input("Write them? [y/N] ").strip().lower() in ("y", "yes")
