"""JupyterLab and Notebook 7 from one server, whose kernels' clients ask a model of this machine.

For the browser's tests, and for the README's picture.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from jupyter_process import wait_for_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nbtokens.demo.endpoint import Endpoint

ROOT = Path(__file__).parents[2]
LAB_OPTIONS = ("--no-browser", "--ServerApp.port=0")


def environment_in(folder: Path) -> dict[str, str]:
    """The environment of a JupyterLab that has this checkout and keeps what is its own in a folder."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }


def write_settings(folder: Path) -> None:
    settings = {
        # Lab takes cells out of the page that are scrolled out of sight, unless it is told not to.
        "notebook-extension/tracker": {"windowingMode": "none"},
        # Nothing is to be fetched, and nobody is there to be asked.
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    }
    for name, values in settings.items():
        path = folder / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(values))


@dataclass
class Jupyter:
    """A Jupyter server that serves JupyterLab and Notebook 7, whose kernels' clients ask a model of this machine.

    Attributes:
        project: the project's folder, with its notebooks.
        url: where it answers.
        token: what it asks for.
    """

    project: Path
    url: str
    token: str

    def write(self, name: str, cells: Mapping[str, str]) -> Path:
        """Write a notebook: the ids of its cells and their sources."""
        notebook = nbformat.v4.new_notebook()
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook.cells = [nbformat.v4.new_code_cell(source, id=cell) for cell, source in cells.items()]
        path = self.project / name
        nbformat.write(notebook, path)
        return path

    def rows(self, notebook: str | None = None) -> list[dict[str, Any]]:
        """The calls in the history, of one notebook or of all; none where a kernel is in the middle of writing."""
        try:
            rows = json.loads((self.project / ".metrics" / "usage_history.json").read_bytes())
        except (FileNotFoundError, json.JSONDecodeError):
            return []
        return [row for row in rows if row["kind"] == "call" and notebook in (None, row.get("notebook"))]


@contextmanager
def serving(folder: Path, model: Endpoint, settings: str) -> Iterator[Jupyter]:
    """A server on a project of its own; it ends with the block.

    Args:
        folder: takes the project and all that Jupyter writes.
        model: what the clients of its kernels ask.
        settings: the project's `nbtokens.toml`.
    """
    project = folder / "project"
    (project / ".metrics").mkdir(parents=True)
    (project / "nbtokens.toml").write_text(settings)
    (folder / "share" / "labextensions").mkdir(parents=True)
    (folder / "share" / "labextensions" / "nbtokens").symlink_to(ROOT / "nbtokens" / "labextension")
    write_settings(folder / "settings")
    output = folder / "output.txt"
    exposed = [f"--{app}.expose_app_in_browser=True" for app in ("LabApp", "JupyterNotebookApp")]
    options = ["--allow-root", *exposed, *LAB_OPTIONS]
    with output.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            cwd=project,
            env={
                **environment_in(folder),
                **model.environment(),
                "IPYTHONDIR": str(folder / "ipython"),
                "JUPYTER_PREFER_ENV_PATH": "1",
                "JUPYTER_PATH": str(folder / "share"),
            },
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            server = wait_for_server(folder / "runtime", process, output)
            yield Jupyter(project, server["url"], server["token"])
        finally:
            process.terminate()
            process.wait()
