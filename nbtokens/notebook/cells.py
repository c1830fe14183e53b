"""Which cell and which notebook a call belongs to."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nbtokens.context import NOWHERE, Place, enter_cell, leave_cell
from nbtokens.notebook.sources import Sources, source_id
from nbtokens.reports.figures import in_brief
from nbtokens.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from IPython.core.interactiveshell import ExecutionInfo, InteractiveShell

    from nbtokens.record import Record

_NOTEBOOK_SUFFIXES: Final = (".ipynb", ".py", ".md", ".qmd", ".Rmd")


class CellTally(Tally):
    """The calls that were started in one run of one cell, wherever and whenever they end."""

    def __init__(self, on_call: Callable[[CellTally], None]) -> None:
        super().__init__()
        self._on_call = on_call
        self._last_end: datetime | None = None

    def add(self, record: Record) -> None:
        """Take one more record in."""
        super().add(record)
        if record.kind != "call":
            return
        ended = record.started_at + timedelta(seconds=record.duration_s or 0)
        if self._last_end is None or ended > self._last_end:
            self._last_end = ended
        self._on_call(self)

    @property
    def elapsed(self) -> float | None:
        """Seconds from the first request to the last answer; None without calls."""
        first = self.sums.first_at
        return None if first is None or self._last_end is None else (self._last_end - first).total_seconds()

    def __repr__(self) -> str:
        return f"<cell: {in_brief(self.sums)}>"


class Cells:
    """Knows the running cell, and the last one that made calls.

    Attributes:
        sources: the lines that this kernel's cells are known by.
        place: of the latest cell.

    Args:
        shell: whose cells they are.
        root: the project's folder; notebooks' paths are relative to it.
    """

    def __init__(self, shell: InteractiveShell, root: Path) -> None:
        self._shell = shell
        self._root = root
        self.sources = Sources()
        self.place = NOWHERE
        self.running: CellTally | None = None
        self.last_with_calls: CellTally | None = None

    def enter(self, info: ExecutionInfo | None, operation: str | None = None) -> CellTally:
        """A cell begins: from here on, calls belong to it.

        Args:
            info: the cell; None for one that had begun before we came.
            operation: what the cell's calls are for, where they say nothing else.
        """
        source = _source(self._shell, info)
        cell = _cell_id(self._shell, info) or source_id(source)
        self.sources.add(cell, source)
        tally = CellTally(self._made_call)
        self.place = Place(
            notebook=notebook_path(self._shell, self._root),
            cell=cell,
            execution_count=_number(self._shell, info),
            attribution="exact",
            operation=operation,
            scopes=(tally,),
        )
        enter_cell(self.place)
        self.running = tally
        return tally

    def leave(self) -> None:
        """The cell has ended. What it started in the background still belongs to it."""
        leave_cell()
        self.running = None

    def _made_call(self, tally: CellTally) -> None:
        self.last_with_calls = tally


def _source(shell: InteractiveShell, info: ExecutionInfo | None) -> str:
    if info is not None:
        return str(info.raw_cell)
    inputs = getattr(shell.history_manager, "input_hist_raw", None) or [""]
    return str(inputs[-1])


def _number(shell: InteractiveShell, info: ExecutionInfo | None) -> int | None:
    """The number that the notebook shows beside the cell; None for a cell that gets none.

    It is where the history keeps the cell's input: at the list's end before the cell runs. The shell's own
    `execution_count` is one ahead within a cell in some versions of IPython and not in others.
    """
    inputs = getattr(shell.history_manager, "input_hist_raw", None)
    if inputs is None or (info is not None and not info.store_history):
        return None
    return len(inputs) if info is not None else len(inputs) - 1


def _cell_id(shell: InteractiveShell, info: ExecutionInfo | None) -> str | None:
    """The id that the front end gives: through IPython, else in the request's metadata (JupyterLab, VS Code)."""
    given = getattr(info, "cell_id", None)
    if given:
        return str(given)
    get_parent = getattr(shell, "get_parent", None)
    parent: Any = get_parent() if get_parent is not None else None
    metadata = parent.get("metadata", {}) if isinstance(parent, dict) else {}
    found = metadata.get("cellId") if isinstance(metadata, dict) else None
    return str(found) if found else None


def notebook_path(shell: InteractiveShell, root: Path) -> str | None:
    """The notebook's path relative to the project (absolute if it lies outside), with `/`; None where none is known.

    Jupyter Server tells it to its kernels in JPY_SESSION_NAME, VS Code in a variable of the user's namespace.
    """
    named = shell.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME")
    if not named or not str(named).endswith(_NOTEBOOK_SUFFIXES):
        return None
    path = Path(str(named))
    path = path if path.is_absolute() else Path.cwd() / path
    for inside, outside in ((path, root), (path.resolve(), root.resolve())):
        try:
            return inside.relative_to(outside).as_posix()
        except ValueError:
            continue
    return path.as_posix()
