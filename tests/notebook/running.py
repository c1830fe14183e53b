"""Cells as the tests run them: in a shell in this process, or in a kernel in one of its own."""

from __future__ import annotations

import json
import re
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from typing import TYPE_CHECKING, Any

from IPython.core.displaypub import CapturingDisplayPublisher

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
    from jupyter_client.blocking.client import BlockingKernelClient
    from jupyter_client.manager import KernelManager

PRICES = '[prices."simulated-model"]\ninput_per_mtok = 1000\noutput_per_mtok = 2000\n'
"""A tenth of a cent for each token in, two tenths for each token out."""

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_PATIENCE = 60


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens on another thread or in another process; the test fails if it doesn't."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


@dataclass
class Ran:
    """What a cell left behind.

    Attributes:
        displays: what it displayed, as MIME bundles, in order.
        updates: what it changed of earlier displays, as MIME bundles, by the display's id.
        out: what it printed, without colours; a shell in this process prints its results and tracebacks too.
        err: what it printed as errors.
        value: the value of its last expression; of a kernel's cell, as a MIME bundle.
        number: the number that stands beside it; None where it got none.
        error: the name of the exception that ended it.
        traceback: what the kernel sent of it.
    """

    displays: list[dict[str, Any]] = field(default_factory=list)
    updates: dict[str, dict[str, Any]] = field(default_factory=dict)
    out: str = ""
    err: str = ""
    value: Any = None
    number: int | None = None
    error: str | None = None
    traceback: str = ""

    def texts(self) -> list[str]:
        """What it displayed, as plain text."""
        return [shown["text/plain"] for shown in self.displays]

    def calls(self) -> int:
        """How many calls the one report that it displayed tells of."""
        [report] = self.texts()
        assert report.startswith("LLM usage of this cell\n")
        if "This cell made no LLM calls." in report:
            return 0
        lines = report.splitlines()
        return int(next(lines[n + 1].split()[0] for n, line in enumerate(lines) if line.split()[:1] == ["calls"]))


class Shell:
    """An IPython shell in this process."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self._published = shell.display_pub = CapturingDisplayPublisher(parent=shell)

    def __call__(self, source: str, *, fails: bool = False, store_history: bool = True) -> Ran:
        """Run a cell; it must succeed, or fail where that is expected."""
        out, err = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            result: ExecutionResult = self.shell.run_cell(source, store_history=store_history)
        shown = [output["data"] for output in self._published.outputs]
        self._published.outputs.clear()
        assert result.success is not fails, out.getvalue() + err.getvalue()
        error = result.error_in_exec or result.error_before_exec
        return Ran(
            displays=shown,
            out=_COLOURS.sub("", out.getvalue()),
            err=_COLOURS.sub("", err.getvalue()),
            value=result.result,
            number=result.execution_count,
            error=type(error).__name__ if error is not None else None,
        )


class Kernel:
    """A kernel in a process of its own, asked as a front end asks it."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient, project: Path) -> None:
        self.manager = manager
        self.client = client
        self.project = project

    def rows(self, cell: str | None) -> list[dict[str, Any]]:
        """The history's rows of one cell; none where the kernel is in the middle of writing."""
        try:
            rows = json.loads((self.project / ".metrics" / "usage_history.json").read_bytes())
        except (FileNotFoundError, json.JSONDecodeError):
            return []
        return [row for row in rows if row.get("cell") == cell]

    def next_message(self) -> dict[str, Any]:
        """The next message that the kernel sends to all front ends."""
        message: dict[str, Any] = self.client.get_iopub_msg(timeout=_PATIENCE)
        return message

    def send(self, source: str, *, cell_id: str | None = None) -> str:
        """Ask the kernel to run a cell; returns the id of the request."""
        content = {"code": source, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": False}
        metadata = {} if cell_id is None else {"cellId": cell_id}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def wait(self, request: str, *, fails: bool = False) -> Ran:
        """Wait for the end of the cell that a request asked for."""
        ran = Ran()
        while True:
            message = self.next_message()
            if message["parent_header"].get("msg_id") == request and self._take(message, ran):
                break
        while True:
            reply = self.client.get_shell_msg(timeout=_PATIENCE)
            if reply["parent_header"].get("msg_id") == request:
                break
        ran.number = reply["content"].get("execution_count")
        assert (reply["content"]["status"] == "error") is fails, ran.traceback
        return ran

    def __call__(self, source: str, *, cell_id: str | None = None, fails: bool = False) -> Ran:
        """Run a cell; it must succeed, or fail where that is expected."""
        return self.wait(self.send(source, cell_id=cell_id), fails=fails)

    @staticmethod
    def _take(message: dict[str, Any], ran: Ran) -> bool:
        content = message["content"]
        match message["msg_type"]:
            case "stream" if content["name"] == "stdout":
                ran.out += content["text"]
            case "stream":
                ran.err += content["text"]
            case "display_data":
                ran.displays.append(content["data"])
            case "update_display_data":
                ran.updates[content["transient"]["display_id"]] = content["data"]
            case "execute_result":
                ran.value = content["data"]
            case "error":
                ran.error = content["ename"]
                ran.traceback = _COLOURS.sub("", "\n".join(content["traceback"]))
        return message["msg_type"] == "status" and content["execution_state"] == "idle"
