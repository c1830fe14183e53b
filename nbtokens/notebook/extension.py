"""Loading and unloading: `%load_ext nbtokens`, `%reload_ext nbtokens`, `%unload_ext nbtokens`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from IPython.display import display

from nbtokens.context import pop_operation, push_operation
from nbtokens.guard import guarded
from nbtokens.notebook.cell_magic import arguments_of, without_magic
from nbtokens.notebook.cells import Cells, CellTally
from nbtokens.notebook.live import LivePanel
from nbtokens.notebook.magics import TokensMagics
from nbtokens.reports.overview import cell_report
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult, InteractiveShell

    from nbtokens.reports.report import Report

_silent: Final = logging.NullHandler()
_extensions: Final[dict[int, Extension]] = {}


class Extension:
    """What nbtokens adds to one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.runtime = runtime()
        self.cells = Cells(shell, self.runtime.config.root)
        self._measured: CellTally | None = None
        self._panel: LivePanel | None = None

    def install(self) -> None:
        """Hook the clients, and listen to the shell."""
        self.runtime.enable()
        # What the user must know stands under the cell; the log's last resort would print it there a second time.
        logging.getLogger("nbtokens").addHandler(_silent)
        self.shell.events.register("pre_run_cell", self.before_cell)
        self.shell.events.register("post_run_cell", self.after_cell)
        self.shell.input_transformers_cleanup.append(without_magic)
        self.shell.register_magics(TokensMagics(self))
        self.cells.enter(None)

    def uninstall(self) -> None:
        """Take all of that back."""
        self.shell.events.unregister("pre_run_cell", self.before_cell)
        self.shell.events.unregister("post_run_cell", self.after_cell)
        self.shell.input_transformers_cleanup.remove(without_magic)
        for kind in ("line", "cell"):
            self.shell.magics_manager.magics[kind].pop("tokens", None)
        logging.getLogger("nbtokens").removeHandler(_silent)
        if self._panel is not None:
            self._panel.close()
        self.cells.leave()
        self.runtime.disable()

    def before_cell(self, info: ExecutionInfo) -> None:
        """A cell is about to run."""
        with guarded:
            tally = self.cells.enter(info)
            self._measured = tally if arguments_of(str(info.raw_cell or "")) is not None else None

    def after_cell(self, result: ExecutionResult) -> None:
        """A cell has run, or failed, or was interrupted."""
        del result
        with guarded:
            self.cells.leave()
            self.runtime.settle()
            measured, self._measured = self._measured, None
            if measured is not None:
                self._show(cell_report(measured))
            self._show_notices()

    def run_measured(self, cell: str) -> Any:  # noqa: ANN401 - the cell's own result
        """Run a cell's text now and show what it cost: for `%%tokens` where the shell did not see the line."""
        tally = CellTally(lambda _: None)
        self._measured = None

        token = push_operation(None, {}, tally)
        try:
            outcome = self.shell.run_cell(cell, store_history=False, silent=True)  # type: ignore[no-untyped-call]
        finally:
            pop_operation(token)
        self._show(cell_report(tally))
        if outcome.error_in_exec is not None:
            raise outcome.error_in_exec
        return outcome.result

    def panel(self) -> LivePanel:
        """The shell's live panel."""
        if self._panel is None:
            self._panel = LivePanel(self.runtime)
        return self._panel

    @staticmethod
    def _show(report: Report) -> None:
        display(report)  # type: ignore[no-untyped-call]

    def _show_notices(self) -> None:
        while self.runtime.notices:
            print(f"nbtokens: {self.runtime.notices.pop(0)}")  # noqa: T201 - once, and only where something is wrong


def load(shell: InteractiveShell) -> None:
    """Begin to record this shell's calls. A second time does nothing."""
    if id(shell) not in _extensions:
        extension = Extension(shell)
        extension.install()
        _extensions[id(shell)] = extension


def unload(shell: InteractiveShell) -> None:
    """Record no more, and leave shell and clients as they were found."""
    extension = _extensions.pop(id(shell), None)
    if extension is not None:
        extension.uninstall()
