"""The commands of `nbtokens`, one file and one class for each. A class's docstring is its help text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from nbtokens.chores import CHORES
from nbtokens.commands.ask import Ask
from nbtokens.commands.autoload import Autoload
from nbtokens.commands.demo import Demo
from nbtokens.commands.report import Report
from nbtokens.commands.run import Run
from nbtokens.commands.serve import Serve
from nbtokens.questions import QUESTIONS

if TYPE_CHECKING:
    import argparse


class Command(Protocol):
    """What the dispatcher in `nbtokens.cli` asks of a command."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it, and return the process's exit code. A `NbtokensError` becomes one line and exit code 2."""


COMMANDS: dict[str, Command] = {
    "demo": Demo(),
    "autoload": Autoload(),
    "run": Run(),
    "report": Report(),
    "serve": Serve(),
    **{name: Ask(question) for name, question in QUESTIONS.items()},
    **CHORES,
}
"""What one types after `nbtokens` -> what does it, in the order of the help."""
