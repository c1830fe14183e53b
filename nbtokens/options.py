"""Options of commands and magics."""

from __future__ import annotations

import argparse
import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Options(argparse.ArgumentParser):
    """Names the closest option where there is none of a name."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """What is known of the words, and the others; among these is no option."""
        known, others = super().parse_known_args(args, namespace)
        names = {name.lstrip("-"): name for name in self._option_string_actions}
        for name in (word.partition("=")[0] for word in others if word.startswith("-")):
            close = difflib.get_close_matches(name.lstrip("-"), names, n=1)
            hint = f"did you mean {names[close[0]]}?" if close else f"there are {', '.join(names.values())}"
            self.error(f"there is no option {name}; {hint}")
        return known, others
