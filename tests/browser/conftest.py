"""JupyterLab as `nbtokens demo --lab` starts it, and a headless Chromium to look at it with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from nbtokens.demo import simulated_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]
ARTEFACTS = ROOT / "artifacts"
LAB_OPTIONS = ("--no-browser", "--ServerApp.port=0")


@dataclass
class RunningLab:
    """A JupyterLab that `nbtokens demo --lab` runs on a project of its own.

    Attributes:
        project: the project's folder.
        process: the command.
        output: the file that takes what it prints.
        url: where Lab answers.
        token: what Lab asks for.
        server_pid: the process id of Lab's server.
    """

    project: Path
    process: subprocess.Popen[str]
    output: Path
    url: str
    token: str
    server_pid: int

    def interrupt(self) -> int:
        """Press Ctrl-C: the signal goes to each process that the terminal runs. Returns the command's exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[RunningLab]:
    if sys.platform == "win32":
        pytest.skip("Ctrl-C is not a signal there")
    project = tmp_path / "project"
    (project / "notebooks").mkdir(parents=True)
    (project / "nbtokens.toml").touch()
    shutil.copy(ROOT / "notebooks" / "quickstart.ipynb", project / "notebooks")
    _write_settings(tmp_path / "settings")
    output = tmp_path / "output.txt"
    with output.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "nbtokens", "demo", "--simulate", "--lab", "--", *LAB_OPTIONS],
            cwd=project,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
                "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
                "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
                "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),
            },
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    try:
        server = _wait_for_server(tmp_path / "runtime", process, output)
        yield RunningLab(project, process, output, server["url"], server["token"], server["pid"])
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def _write_settings(folder: Path) -> None:
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


def _wait_for_server(runtime: Path, process: subprocess.Popen[str], output: Path) -> dict[str, Any]:
    """What Jupyter writes down about its server once it answers."""
    while True:
        assert process.poll() is None, output.read_text()
        for path in runtime.glob("jpserver-*.json"):
            if "running at" in output.read_text():
                server: dict[str, Any] = json.loads(path.read_text())
                return server
        time.sleep(0.1)


@dataclass
class Jupyter:
    """A Jupyter server that serves JupyterLab and Notebook 7, whose kernels' clients ask a simulated model.

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


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    folder = tmp_path_factory.mktemp("jupyter")
    project = folder / "project"
    (project / ".metrics").mkdir(parents=True)
    (project / "nbtokens.toml").write_text(
        '[prices."simulated-model"]\ninput_per_mtok = 1000\noutput_per_mtok = 2000\n'
    )
    (folder / "share" / "labextensions").mkdir(parents=True)
    (folder / "share" / "labextensions" / "nbtokens").symlink_to(ROOT / "nbtokens" / "labextension")
    _write_settings(folder / "settings")
    output = folder / "output.txt"
    exposed = [f"--{app}.expose_app_in_browser=True" for app in ("LabApp", "JupyterNotebookApp")]
    options = ["--allow-root", *exposed, *LAB_OPTIONS]
    with simulated_model.serve(speed=None) as model, output.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            cwd=project,
            env={
                **os.environ,
                **model.environment(),
                "PYTHONPATH": str(ROOT),
                "IPYTHONDIR": str(folder / "ipython"),
                "JUPYTER_PREFER_ENV_PATH": "1",
                "JUPYTER_PATH": str(folder / "share"),
                "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
                "JUPYTER_CONFIG_DIR": str(folder / "config"),
                "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
                "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            },
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            server = _wait_for_server(folder / "runtime", process, output)
            yield Jupyter(project, server["url"], server["token"])
        finally:
            process.terminate()
            process.wait()


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A headless Chromium: the system's, else the one that playwright installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        own = driver.chromium.executable_path
        found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", own))), None)
        if found is None:
            pytest.skip("there is no Chromium: apt-get install chromium, or playwright install chromium")
        chromium = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """Where screenshots go: a folder that git ignores, and CI keeps."""
    ARTEFACTS.mkdir(exist_ok=True)
    return ARTEFACTS
