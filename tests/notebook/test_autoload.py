"""`nbtokens autoload`: nbtokens in every kernel and IPython of a user, and nowhere any more after `off`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jupyter_client.manager import start_new_kernel
from running import Kernel

import nbtokens
from nbtokens.cli import main

if TYPE_CHECKING:
    from conftest import Ledger

LOADED = "print('loaded:', 'nbtokens' in get_ipython().extension_manager.loaded)"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration file of a user who has none yet."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", str(Path(nbtokens.__file__).parents[1]))
    return tmp_path / "ipython" / "profile_default" / "ipython_config.py"


def terminal() -> str:
    """What a terminal's IPython says on whether it has nbtokens."""
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "-c", LOADED],
        capture_output=True,
        text=True,
        timeout=150,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def test_on_and_off(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The lines are shown before they are written; then IPython loads nbtokens, until `off` takes the lines out."""
    assert "loaded: False" in terminal()
    assert main(["autoload", "on", "--yes"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"These lines go to the end of {config}:\n\n# >>> nbtokens autoload >>>\n")
    assert config.read_text() in said
    assert "loaded: True" in terminal()
    assert main(["autoload"]) == 0
    assert capsys.readouterr().out == f"autoload is on: {config}\n"
    assert main(["autoload", "off"]) == 0
    assert not config.exists()
    assert capsys.readouterr().out == f"autoload is off: {config}\n"
    assert "loaded: False" in terminal()


def test_a_kernel(config: Path, tmp_path: Path) -> None:
    """A notebook's kernel reads the same file, and says nothing of it."""
    assert main(["autoload", "on", "--yes"]) == 0
    manager, client = start_new_kernel(kernel_name="python3", env=dict(os.environ), cwd=str(tmp_path))
    try:
        ran = Kernel(manager, client, tmp_path)(LOADED)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.context.destroy()
    assert (ran.out, ran.err) == ("loaded: True\n", "")


@pytest.mark.parametrize(
    "before",
    [
        "c = get_config()\nc.InteractiveShellApp.extensions = ['autoreload']\n",
        "c.InteractiveShellApp.extensions.append('autoreload')",
        "# only a comment\n\n\n",
    ],
)
def test_a_file_of_the_users_own(before: str, config: Path) -> None:
    """What stands in the file goes on to hold; twice on is once; after `off` it is what it was, byte for byte."""
    config.parent.mkdir(parents=True)
    config.write_text(before)
    for _ in range(2):
        assert main(["autoload", "on", "--yes"]) == 0
    assert config.read_text().count(">>> nbtokens autoload >>>") == 1
    assert "loaded: True" in terminal()
    for _ in range(2):
        assert main(["autoload", "off"]) == 0
    assert config.read_text().rstrip("\n") == before.rstrip("\n")


def test_nothing_is_written_unasked(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody sits there to agree, or somebody disagrees, the lines are shown and nothing is written."""
    assert main(["autoload", "on"]) == 1
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "n")
    assert main(["autoload", "on"]) == 1
    assert not config.exists()
    assert capsys.readouterr().out.count("Nothing was written.") == 2
    monkeypatch.setattr("builtins.input", lambda _: "y")
    assert main(["autoload", "on"]) == 0
    assert config.exists()


def test_a_profile(config: Path, ledger: Ledger) -> None:
    """`--profile` names another of IPython's profiles."""
    assert main(["autoload", "on", "--yes", "--profile", "work"]) == 0
    assert config.parents[1].joinpath("profile_work", "ipython_config.py").exists()
    assert not config.exists()


def test_a_file_that_cannot_be_read(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is left as it is, and one line says why."""
    config.parent.mkdir(parents=True)
    config.write_bytes(b"\xff\xfe")
    assert main(["autoload", "on", "--yes"]) == 2
    assert f"{config} can't be read" in capsys.readouterr().err
    assert config.read_bytes() == b"\xff\xfe"
