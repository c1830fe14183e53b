"""The `nbtokens` command: its dispatcher, its help and its errors."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nbtokens._version import __version__
from nbtokens.cli import main
from nbtokens.commands import COMMANDS


def nbtokens(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, with this source tree importable."""
    return subprocess.run(
        [sys.executable, "-m", "nbtokens", *arguments],
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
        capture_output=True,
        text=True,
    )


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`nbtokens --version` prints the version."""
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"nbtokens {__version__}\n"


def test_the_command_starts_with_little() -> None:
    """No command loads what only another one needs."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys, nbtokens.cli; print(*sys.modules, sep='\\n')"],
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    heavy = {"numpy", "pandas", "matplotlib", "tiktoken", "IPython", "nbformat", "sqlalchemy", "genai_prices"}
    assert not heavy & set(done.stdout.split())


def test_help_lists_each_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The help shows each command with the first line of its class's docstring."""
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for name, command in COMMANDS.items():
        first_line = (inspect.getdoc(command) or "").partition("\n")[0]
        assert first_line
        assert f"{name} {first_line}" in shown


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("stats --sinse 7d", "nbtokens stats: error: there is no option --sinse; did you mean --since?"),
        ("--teem stats", "nbtokens: error: there is no option --teem; did you mean --team?"),
        ("sumary", "nbtokens: error: there is no command 'sumary'; did you mean 'summary'?"),
    ],
)
def test_a_wrong_word(words: str, error: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line names the closest option of the command, or the closest command."""
    with pytest.raises(SystemExit):
        main(words.split())
    assert capsys.readouterr().err.splitlines()[-1] == error


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A command's own help is its class's docstring, whole."""
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    assert (inspect.getdoc(COMMANDS[name]) or "missing") in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["no-such-command"]])
def test_wrong_use(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command, or with one that doesn't exist, the exit code is 2 and the commands are named."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


def test_errors_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What can't be done is said in one line on stderr, with exit code 2."""
    assert main(["demo", "--notebook", str(tmp_path / "missing.ipynb")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"nbtokens demo: there is no notebook at {tmp_path / 'missing.ipynb'}\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("no notebook", "can't be read as a notebook"),
        (
            '{"nbformat": 4, "nbformat_minor": 5, "cells": [], "metadata": {"kernelspec": {"language": "R"}}}',
            "is a notebook for R; the demo runs Python's",
        ),
    ],
)
@pytest.mark.parametrize("how", [["--simulate"], ["--lab"]], ids=" ".join)
def test_a_notebook_that_can_not_be_run(
    how: list[str], content: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is refused before the model is started: nothing is told of that."""
    notebook = tmp_path / "some.ipynb"
    notebook.write_text(content)
    assert main(["demo", *how, "--notebook", str(notebook)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"nbtokens demo: {notebook} {said}")
    assert len(told.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [notebook]


def test_options_of_lab_without_lab(capsys: pytest.CaptureFixture[str]) -> None:
    """Options for JupyterLab make no sense without it."""
    assert main(["demo", "--", "--no-browser"]) == 2
    assert "without --lab" in capsys.readouterr().err


def test_summary_of_a_project(tmp_path: Path) -> None:
    """`nbtokens summary` prints what the project's calls cost, from any folder within it."""
    script = "import nbtokens; nbtokens.record(model='gpt-5', input_tokens=1200, output_tokens=30, operation='triage')"
    (tmp_path / "nbtokens.toml").touch()
    (tmp_path / "deep" / "down").mkdir(parents=True)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, env=environment)
    for folder in (tmp_path, tmp_path / "deep" / "down"):
        done = nbtokens("summary", cwd=folder)
        assert (done.returncode, done.stderr) == (0, "")
        assert "gpt-5" in done.stdout
        assert "triage" in done.stdout
        assert "1,200" in done.stdout


def test_summary_without_calls(tmp_path: Path) -> None:
    """Where nothing was recorded yet, the summary says 0 calls, and nothing goes wrong."""
    done = nbtokens("summary", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "calls" in done.stdout


def test_terminal_without_unicode(tmp_path: Path) -> None:
    """A terminal that lacks a name's characters gets question marks in their place."""
    script = "import nbtokens; nbtokens.record(model='modèle-日本', input_tokens=1)"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, env=environment)
    done = nbtokens("summary", cwd=tmp_path, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, "")
    assert "mod?le-??" in done.stdout


def test_reader_that_stops(tmp_path: Path) -> None:
    """Output that nobody reads on is no error to be told of."""
    read, write = os.pipe()
    os.close(read)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "nbtokens", "summary"]
    done = subprocess.run(
        command, check=False, cwd=tmp_path, env=environment, stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    assert done.stderr == ""
