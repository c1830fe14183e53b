"""What `nbtokens demo` tells its user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbtokens.demo.local_model import MODEL
from nbtokens.demo.notebook_file import shown
from nbtokens.terminal import progress, say

if TYPE_CHECKING:
    from pathlib import Path

    from nbtokens.demo.endpoint import Endpoint
    from nbtokens.demo.notebook_file import NotebookFile
    from nbtokens.demo.run import Outcome


class DemoReport:
    """The lines of one demo. Where the model is simulated, each of them says so.

    Args:
        simulated: whether it is.
        quiet: say nothing, for a program reads what came of it.
    """

    def __init__(self, *, simulated: bool, quiet: bool) -> None:
        self._simulated = simulated
        self._quiet = quiet
        self._mark = "[simulated] " if simulated else ""

    def starting(self) -> None:
        """The model's start."""
        if self._simulated:
            self._say("Starting a simulated model: it speaks the providers' wire formats, but no language model runs.")
        else:
            self._say(f"Starting {MODEL}, a small language model, on this machine.")
            self._say("  The first time takes some seconds longer: the model's file has to be put together.")

    def started(self, endpoint: Endpoint, seconds: float) -> None:
        """The model is there."""
        self._say(f"  {endpoint.model} answers at {endpoint.base_url} after {seconds:.1f} s.")

    def executing(self, notebook: NotebookFile) -> None:
        """The notebook's start."""
        self._say(f"Executing {shown(notebook.source)} in a kernel of its own.")

    def cell(self, number: int, count: int) -> None:
        """The next cell's start."""
        if not self._quiet:
            progress(f"{self._mark}  cell {number} of {count}")

    def executed(self, outcome: Outcome, seconds: float) -> None:
        """The notebook's end, and what went wrong in it."""
        if not self._quiet:
            progress("")
        self._say(f"  {outcome.started} of {outcome.cells} cells ran, in {seconds:.1f} s.")
        for failure in outcome.failures:
            self._say(f"  Cell [{failure.number}] failed: {failure.error}")
        if outcome.ended_early:
            self._say(f"  Ended early: {outcome.ended_early}.")

    def summary(self, text: str) -> None:
        """The usage summary, as it reads in a terminal."""
        self._say()
        if self._simulated:
            self._say("The calls of this run are simulated: real requests and times, made-up answers and token counts.")
            self._say()
        if not self._quiet:
            say(text.rstrip())
        self._say()

    def whereabouts(self, outcome: Outcome, metrics: Path) -> None:
        """Where everything is, and how to look at it."""
        self._say(f"Executed notebook:  {shown(outcome.executed)}")
        self._say(f"  open it with:     jupyter lab {shown(outcome.executed)}")
        self._say(f"History:            {shown(metrics / 'usage_history.json')}")
        self._say(f"Summary:            {shown(metrics / 'USAGE_SUMMARY.md')}")
        self._say(
            "Look around in it:  " + ("nbtokens demo --simulate --lab" if self._simulated else "nbtokens demo --lab")
        )

    def opening(self, copy: Path) -> None:
        """JupyterLab's start."""
        self._say(f"Opening {shown(copy)}, a copy of the notebook, in JupyterLab. End with Ctrl-C.")

    def closed(self, copy: Path) -> None:
        """JupyterLab's end."""
        self._say(f"JupyterLab and the model have ended. Your copy stays: {shown(copy)}")

    def _say(self, line: str = "") -> None:
        if not self._quiet:
            say(f"{self._mark}{line}".rstrip())
