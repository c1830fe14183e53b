"""JupyterLab as `nbtokens demo --lab` starts it, and a headless Chromium to look at it with."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from jupyter_process import wait_for_server
from jupyters import LAB_OPTIONS, ROOT, environment_in, serving, write_settings

from nbtokens.demo import local_model, simulated_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jupyters import Jupyter
    from playwright.sync_api import Browser

ARTEFACTS = ROOT / "artifacts"
REAL_PRICES = '[prices."gemma-3-270m"]\ninput_per_mtok = 0.25\noutput_per_mtok = 2.00\n'


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
    write_settings(tmp_path / "settings")
    output = tmp_path / "output.txt"
    with output.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "nbtokens", "demo", "--simulate", "--lab", "--", *LAB_OPTIONS],
            cwd=project,
            env=environment_in(tmp_path),
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    try:
        server = wait_for_server(tmp_path / "runtime", process, output)
        yield RunningLab(project, process, output, server["url"], server["token"], server["pid"])
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """With a simulated model."""
    settings = '[prices."simulated-model"]\ninput_per_mtok = 1000\noutput_per_mtok = 2000\n'
    with (
        simulated_model.serve(speed=None) as model,
        serving(tmp_path_factory.mktemp("jupyter"), model, settings) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def real_jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """With the real model of this machine."""
    with ExitStack() as stack:
        try:
            model = stack.enter_context(local_model.serve())
        except local_model.ModelUnavailableError as problem:
            pytest.skip(f"the local model can't be run: {problem}")
        yield stack.enter_context(serving(tmp_path_factory.mktemp("real"), model, REAL_PRICES))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless Chromium: the system's, else the one that playwright installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        own = driver.chromium.executable_path
        found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", own))), None)
        if found is None:
            pytest.skip("there is no Chromium: apt-get install chromium, or playwright install chromium")
        running = driver.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield running
        running.close()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """The Chromium that the tests of a file share; what a test has opened ends with it."""
    yield chromium
    for context in chromium.contexts:
        context.close()


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """Where screenshots go: a folder that git ignores, and CI keeps."""
    ARTEFACTS.mkdir(exist_ok=True)
    return ARTEFACTS
