"""Loading and unloading: `%load_ext nbtokens`, `%reload_ext nbtokens`, `%unload_ext nbtokens`."""

from __future__ import annotations

import ast
import logging
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from IPython.display import display

from nbtokens.context import pop_operation, push_operation
from nbtokens.guard import guarded
from nbtokens.notebook.cell_magic import options_of, without_magic
from nbtokens.notebook.cells import Cells, CellTally, notebook_path
from nbtokens.notebook.completing import Completer
from nbtokens.notebook.magics import TokensMagics
from nbtokens.notebook.platforms import has_jupyter_server, warning_about_disk
from nbtokens.notebook.preferences import NbTokens
from nbtokens.notebook.short_errors import restore, shorten
from nbtokens.notebook.timeline import Timeline
from nbtokens.reports.cells import by_cell, cells_report
from nbtokens.reports.footer import footer
from nbtokens.reports.hidden import hide_money, hiding, without_money
from nbtokens.reports.overview import cell_report
from nbtokens.reports.report import Report
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult, InteractiveShell

    from nbtokens.notebook.cell_options import CellOptions
    from nbtokens.notebook.live import LivePanel
    from nbtokens.notebook.status_bar import StatusBar
    from nbtokens.notebook.tailing import TailPanel
    from nbtokens.reports.live import Bar

_KINDS: Final = ("line", "cell")
_silent: Final = logging.NullHandler()
_extensions: Final[dict[int, Extension]] = {}


class Extension:
    """What nbtokens adds to one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.runtime = runtime()
        self.cells = Cells(shell, self.runtime.config.root)
        self.preferences = NbTokens(parent=shell)
        self.preferences.observe(self._hide_cost, "hide_cost")
        self._hide_cost(None)
        self._options: CellOptions | None = None
        self._limited = ExitStack()
        self._depth = 0
        self._magics_before: dict[str, Any] = {}
        self._panel: LivePanel | None = None
        self._tail: TailPanel | None = None
        self._timeline = Timeline(self.runtime.session.started_at)
        self._completer: Completer | None = None
        self._status_bar: StatusBar | None = None
        self._in_kernel = getattr(shell, "kernel", None) is not None

    def install(self) -> None:
        """Hook the clients, and listen to the shell."""
        self.runtime.enable()
        # What the user must know stands under the cell; the log's last resort would print it there a second time.
        logging.getLogger("nbtokens").addHandler(_silent)
        self.shell.events.register("pre_run_cell", self.before_cell)
        self.shell.events.register("post_run_cell", self.after_cell)
        self.shell.input_transformers_cleanup.append(without_magic)
        shorten(self.shell)
        magics = self.shell.magics_manager
        self._magics_before = {kind: magics.magics[kind].get("tokens") for kind in _KINDS}
        commands = TokensMagics(self)
        self.shell.register_magics(commands)
        self._completer = Completer(self.runtime, commands.words())
        self.shell.Completer.custom_matchers.append(self._completer.match)
        configurables: list[Any] = self.shell.configurables
        configurables.append(self.preferences)
        self.runtime.subscribers.append(self._timeline.add)
        with guarded:
            if self._in_kernel and has_jupyter_server():
                from nbtokens.notebook.status_bar import StatusBar  # noqa: PLC0415 - a terminal has none

                self._status_bar = StatusBar(self.runtime, self.preferences)
        warning = warning_about_disk(self.runtime.config.folder)
        if warning is not None:
            self.runtime.tell(warning)
        self.cells.enter(None)
        self._depth = 1

    def uninstall(self) -> None:
        """Take all of that back."""
        self.shell.events.unregister("pre_run_cell", self.before_cell)
        self.shell.events.unregister("post_run_cell", self.after_cell)
        self.shell.input_transformers_cleanup.remove(without_magic)
        restore()
        hiding.on = False
        magics = self.shell.magics_manager
        magics.registry.pop(TokensMagics.__name__, None)
        self.shell.configurables[:] = [
            one for one in self.shell.configurables if not isinstance(one, TokensMagics | NbTokens)
        ]
        matchers = self.shell.Completer.custom_matchers
        if self._completer is not None and self._completer.match in matchers:
            matchers.remove(self._completer.match)
        for kind, before in self._magics_before.items():
            magics.magics[kind].pop("tokens", None)
            if before is not None:
                magics.magics[kind]["tokens"] = before
        logging.getLogger("nbtokens").removeHandler(_silent)
        for shown in (self._panel, self._tail, self._status_bar):
            if shown is not None:
                shown.close()
        if self._timeline.add in self.runtime.subscribers:
            self.runtime.subscribers.remove(self._timeline.add)
        self.cells.leave()
        self.runtime.disable()

    def before_cell(self, info: ExecutionInfo) -> None:
        """A cell is about to run. One that another cell runs (`%run`, `%%capture`) is a part of that one."""
        with guarded:
            self._depth += 1
            if self._depth == 1:
                self.runtime.budgets.team.wake()
                self._options = options_of(self._without_prompts(info))
                self.cells.enter(info, self._options.operation if self._options is not None else None)
                self._limit(self._options)

    def after_cell(self, result: ExecutionResult) -> None:
        """A cell has run, or failed, or was interrupted."""
        with guarded:
            if result.info is not None and not str(result.info.raw_cell or "").strip():  # its beginning was not told
                return
            self._depth = max(self._depth - 1, 0)
            if self._depth:
                return
            tally, options = self.cells.running, self._options
            self._options = None
            self._limited.close()
            self.cells.leave()
            self.runtime.settle()
            if tally is not None:
                self._show_figures(tally, options)
            for panel in (self._panel, self._tail):
                if panel is not None:
                    panel.cell_ended()
            self._show_notices()

    def _without_prompts(self, info: ExecutionInfo) -> str:
        """The cell's text as the shell reads it, up to our own transformer: without prompts and indentation."""
        lines = str(info.raw_cell or "").splitlines(keepends=True)
        for transform in self.shell.input_transformers_cleanup:
            if transform is without_magic:
                break
            lines = transform(lines)
        return "".join(lines)

    def run_measured(self, cell: str, options: CellOptions) -> Any:  # noqa: ANN401 - the cell's own result
        """Run a text now and show what it cost: for `%%tokens` where it is called as a function."""
        tally = CellTally(lambda _: None)
        push_operation(options.operation, {}, tally)
        try:
            self._limit(options)
            return self._run(cell)
        finally:
            self._limited.close()
            pop_operation(tally)
            self._show_figures(tally, options)

    def _limit(self, options: CellOptions | None) -> None:
        self._limited.close()  # a cell that was interrupted in its first moment may have left one
        if options is not None and options.budget is not None:
            self._limited.enter_context(self.runtime.budgets.limited(options.budget))

    def _run(self, cell: str) -> Any:  # noqa: ANN401 - the cell's own result
        """Run a text in the user's namespace; its last expression is its result."""
        code = ast.parse(self.shell.transform_cell(cell))  # type: ignore[no-untyped-call]
        last = code.body.pop() if code.body and isinstance(code.body[-1], ast.Expr) else None
        exec(compile(code, "<%%tokens>", "exec"), self.shell.user_ns)  # noqa: S102 - the user's own code
        if last is None:
            return None
        return eval(compile(ast.Expression(last.value), "<%%tokens>", "eval"), self.shell.user_ns)  # noqa: S307

    def panel(self) -> LivePanel:
        """The shell's live panel."""
        if self._panel is None or self._panel.closed:
            from nbtokens.notebook.live import LivePanel  # noqa: PLC0415 - not on loading

            self._panel = LivePanel(
                self.runtime, self._timeline, self.preferences, self._budget_bars, widgets=self._in_kernel
            )
        return self._panel

    def tail(self, calls: int) -> TailPanel:
        """The shell's panel with the latest calls."""
        if self._tail is None or self._tail.closed:
            from nbtokens.notebook.tailing import TailPanel  # noqa: PLC0415 - not on loading

            self._tail = TailPanel(self.runtime, self.preferences, calls, widgets=self._in_kernel)
        self._tail.calls = calls
        return self._tail

    def _budget_bars(self) -> list[Bar]:
        """How much of each budget is used; a rate (`per minute`) is none that fills up."""
        from nbtokens.reports.live import Bar  # noqa: PLC0415 - not on loading

        budgets, here = self.runtime.budgets, self.cells.place
        return [
            Bar(str(limit), budgets.share_used(limit, here), limit.warn_at)
            for limit in (*budgets.limits, *budgets.team.at(here))
            if limit.per != "minute"
        ]

    def _hide_cost(self, _: object) -> None:
        hiding.on = self.preferences.hide_cost

    def figures_changed(self) -> None:
        """What is shown is to be shown anew, though no call was made."""
        self.runtime.activity.changed()

    def cells_report(self, *, session: bool) -> Report:
        """The notebook's cells by cost; where no notebook is known, those of this session."""
        notebook, mine = notebook_path(self.shell, self.runtime.config.root), self.runtime.session
        here = Path(notebook or "").name or "this session"
        if session or notebook is None:
            uses = by_cell(self.runtime.history.records(), mine.holds)
            here += ", this session" if notebook is not None else ""
        else:
            uses = by_cell(self.runtime.history.records(), lambda record: record.notebook == notebook)
        path = self.runtime.config.root / notebook if notebook is not None else None
        return cells_report(uses, self.cells.sources.lines(path), here)

    def presented(self, thing: Any) -> Any:  # noqa: ANN401 - whatever a magic gives back
        """What is shown of a thing: of a report, without money where the user hides it."""
        return without_money(thing) if self.preferences.hide_cost and isinstance(thing, Report) else thing

    def _show_figures(self, tally: CellTally, options: CellOptions | None) -> None:
        """What a cell has cost, in the way that was asked for: a block, a line, a variable, or nothing."""
        if options is not None and options.variable is not None:
            self.shell.user_ns[options.variable] = tally
        if options is not None:
            if not options.quiet:
                _show(self.presented(cell_report(tally)))
        elif self.preferences.footer and tally.calls:
            _show(footer(tally.sums, tally.elapsed, hide_cost=self.preferences.hide_cost))

    def _show_notices(self) -> None:
        while self.runtime.notices:
            notice = self.runtime.notices.pop(0)
            print(f"nbtokens: {hide_money(notice) if self.preferences.hide_cost else notice}")  # noqa: T201 - once, and only where something is wrong


def _show(thing: object) -> None:
    display(thing)  # type: ignore[no-untyped-call]


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
