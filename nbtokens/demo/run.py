"""Executing a notebook in a kernel of its own, whose clients are pointed at a demo's model."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

from nbtokens.errors import NbtokensError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nbtokens.demo.endpoint import Endpoint
    from nbtokens.demo.notebook_file import NotebookFile


@dataclass(frozen=True, slots=True)
class Failure:
    """A cell that raised.

    Attributes:
        number: the number that the executed notebook shows beside the cell.
        error: the exception's type and message, in one line.
    """

    number: int
    error: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an execution.

    Attributes:
        executed: the notebook with its outputs.
        cells: how many code cells it has.
        started: how many of them were started.
        failures: the cells that raised; the ones after them were executed all the same.
        ended_early: why the last cells were not executed, if so.
    """

    executed: Path
    cells: int
    started: int
    failures: tuple[Failure, ...] = ()
    ended_early: str | None = None

    @property
    def ok(self) -> bool:
        """Whether each cell did what it should."""
        return not self.failures and self.ended_early is None


def read(notebook: NotebookFile) -> nbformat.NotebookNode:
    """The cells to execute.

    Raises:
        NbtokensError: these are none of Python's, or no notebook; or there is no place for the executed copy.
    """
    try:
        document: nbformat.NotebookNode = nbformat.read(notebook.source, as_version=4)  # type: ignore[no-untyped-call]
        language = str(document.metadata.get("kernelspec", {}).get("language", "python"))
    except Exception as problem:  # nbformat raises about anything where JSON has another shape
        why = str(problem).partition("\n")[0]
        raise NbtokensError(f"{notebook.source} can't be read as a notebook: {why}") from problem
    if language != "python":
        raise NbtokensError(f"{notebook.source} is a notebook for {language}; the demo runs Python's")
    if not os.access(notebook.path.parent, os.W_OK):
        raise NbtokensError(f"the executed notebook can't be written to {notebook.path.parent}, which is read-only")
    return document


def execute(
    notebook: NotebookFile, document: nbformat.NotebookNode, endpoint: Endpoint, on_cell: Callable[[int, int], None]
) -> Outcome:
    """Execute a notebook in a kernel of this interpreter, and write the executed copy beside it.

    Args:
        notebook: where it is.
        document: its cells, which get their outputs.
        endpoint: the model that the notebook's clients talk to.
        on_cell: told of each code cell before it starts: its number, and how many there are.

    Raises:
        NbtokensError: the kernel can't be started, or the copy can't be written.
    """
    execution = _Execution(document, on_cell)
    executed = notebook.copy("executed")
    try:
        execution.run(
            folder=str(notebook.path.parent),
            # The last is what Jupyter's own server tells its kernels, and what the records know the notebook by.
            environment={**os.environ, **endpoint.environment(), "JPY_SESSION_NAME": str(notebook.path)},
        )
    finally:
        _write(execution.document, executed)
    return Outcome(
        executed,
        execution.cells,
        execution.started,
        tuple(execution.failures),
        execution.ended_early,
    )


class _Execution:
    """One run of a notebook's cells, and what is noted on the way."""

    def __init__(self, document: nbformat.NotebookNode, on_cell: Callable[[int, int], None]) -> None:
        self.document = document
        self.cells = sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in document.cells)
        self.started = 0
        self.failures: list[Failure] = []
        self.ended_early: str | None = None
        self._on_cell = on_cell
        self._client = NotebookClient(
            document,
            # Without folders to search there is only this interpreter's kernel, whatever is installed elsewhere.
            km=AsyncKernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[])),
            extra_arguments=["--log-level=CRITICAL"],  # what a kernel logs would come between the command's own lines
            allow_errors=True,
            on_notebook_start=self._take_interrupts,
            on_cell_execute=self._begin,
            on_cell_error=self._note_error,
        )

    def run(self, folder: str, environment: dict[str, str]) -> None:
        """Start the kernel in `folder`, with `environment`, and execute every cell."""
        try:
            self._client.execute(cwd=folder, env=environment, cleanup_kc=True)
        except DeadKernelError:
            self.ended_early = self.ended_early or f"the kernel died in cell [{self.started}]"
        except RuntimeError as problem:
            raise NbtokensError(f"the kernel can't be started: {problem}") from problem

    def _take_interrupts(self, **_: object) -> None:
        """Let Ctrl-C end the execution in order; what was executed is kept."""
        task = asyncio.current_task()
        assert task is not None

        def stop() -> None:
            self.ended_early = f"interrupted in cell [{self.started}]"
            task.cancel()

        with suppress(RuntimeError):  # not in the main thread, or on Windows
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop)

    def _begin(self, cell: nbformat.NotebookNode, **_: object) -> None:
        self.started += 1
        self._on_cell(self.started, self.cells)
        # JupyterLab sends the cell's id with its code, nbclient doesn't; the records should hold it in either case.
        assert self._client.kc is not None
        self._client.kc.session.metadata = {"cellId": cell.get("id")}

    def _note_error(self, cell: nbformat.NotebookNode, execute_reply: dict[str, Any], **_: object) -> None:
        if "raises-exception" not in cell.metadata.get("tags", []):
            content = execute_reply["content"]
            said = " ".join(f"{content['ename']}: {content['evalue']}".split())
            self.failures.append(Failure(self.started, said))


def _write(document: nbformat.NotebookNode, path: Path) -> None:
    try:
        nbformat.write(document, path)  # type: ignore[no-untyped-call]
    except OSError as problem:
        raise NbtokensError(f"the executed notebook can't be written: {problem}") from problem
