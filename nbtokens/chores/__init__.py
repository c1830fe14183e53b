"""What is done to a history on request, as commands and as magics: one file and one class for each chore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from nbtokens.chores.archive import Archive
from nbtokens.chores.export import Export
from nbtokens.chores.forget import Forget
from nbtokens.chores.import_ import Import
from nbtokens.chores.reprice import Reprice
from nbtokens.chores.tail import Tail
from nbtokens.chores.verify import Verify

if TYPE_CHECKING:
    import argparse


class Chore(Protocol):
    """What is done. The docstring of the class is the help text."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the chore's arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it, and return the process's exit code. A `NbtokensError` says in one line why that can't be done."""


CHORES: Final[dict[str, Chore]] = {
    "tail": Tail(),
    "verify": Verify(),
    "export": Export(),
    "import": Import(),
    "reprice": Reprice(),
    "archive": Archive(),
    "forget": Forget(),
}
"""What one types after `nbtokens` or `%tokens` -> what does it."""
