"""Opening a notebook in JupyterLab, with the clients of its kernels pointed at a demo's model."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from nbtokens.errors import NbtokensError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from nbtokens.demo.endpoint import Endpoint
    from nbtokens.demo.notebook_file import NotebookFile

_SECONDS_TO_STOP: Final = 10.0


def lab_copy(notebook: NotebookFile) -> Path:
    """The copy to open, so that the notebook itself stays as it is. A copy from before is kept: it may hold work.

    Raises:
        NbtokensError: it can't be written, or there is no JupyterLab to open it.
    """
    if find_spec("jupyterlab") is None:
        raise NbtokensError("JupyterLab is not installed: pip install jupyterlab")
    copy = notebook.copy("lab")
    try:
        if not copy.exists():
            shutil.copyfile(notebook.source, copy)
    except OSError as problem:
        raise NbtokensError(f"a copy of the notebook can't be written: {problem}") from problem
    return copy


def run_lab(copy: Path, endpoint: Endpoint, options: Sequence[str]) -> int:
    """Run JupyterLab in the foreground until the user ends it, and return its exit code: 0 after Ctrl-C.

    Args:
        copy: the notebook to open.
        endpoint: the model that the clients of its kernels talk to.
        options: further arguments of `jupyter lab`.
    """
    with _ended_by_signals():
        process = subprocess.Popen(  # noqa: S603  # our own interpreter, and the options that the user typed
            [sys.executable, "-P", "-m", "jupyterlab", str(copy), *_as_root(), *options],
            cwd=copy.parent,
            # The kernel is to be this interpreter's, also where the user has another one of the name "python3".
            env={**os.environ, **endpoint.environment(), "JUPYTER_PREFER_ENV_PATH": "1"},
            stdin=subprocess.DEVNULL,
            # A terminal sends Ctrl-C to all that it runs. Here it comes to this process, which ends Lab in order.
            start_new_session=True,
        )
        try:
            return process.wait()
        except KeyboardInterrupt:
            _stop(process)
            return 0


def _as_root() -> list[str]:
    """JupyterLab wants to be told that it may run as root, which is who one is in a container."""
    return ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Make a polite `kill`, or the terminal's end, do what Ctrl-C does: else Lab would be left without its model."""
    signals = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = [(number, signal.signal(number, signal.default_int_handler)) for number in signals]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End Lab and its kernels in order; by force if that takes too long."""
    if sys.platform != "win32":  # there Ctrl-C reached Lab too, and terminating would be by force
        process.terminate()
    try:
        process.wait(_SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
