"""docs/history.md: every command and every magic in it runs, and does what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from IPython.core.interactiveshell import InteractiveShell
from ledgers import ROOT
from traitlets.config import Config

import nbtokens
from nbtokens.chores import CHORES
from nbtokens.cli import main
from nbtokens.record import encode
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ledgers import Ledger

    from nbtokens.record import Record

TEXT = (ROOT / "docs" / "history.md").read_text(encoding="utf-8")


def _lines_of(language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
    return [line for block in found for line in block.splitlines() if not line.startswith("pip ")]


@pytest.fixture
def project(ledger: Ledger, make_record: Callable[..., Record]) -> list[Record]:
    """A history of two users, and the files that the document names; the rows of the history."""
    rows = [make_record(user=user, input_tokens=7, model="m") for user in ("ada", "bob", "ada")]
    for row in rows:
        runtime().store.append(row)
    for name in ("colleague/usage_history.json", "other.json"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(b"[\n" + encode(make_record(user="eve")) + b"\n]\n")
    Path("calls.csv").write_text("date,prompt_tokens,model\n2026-11-01T10:00:00Z,5,m\n")
    return rows


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """A shell with nbtokens loaded."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(colors="nocolor", config=Config(HistoryManager={"enabled": False}))
    shell.run_cell("%load_ext nbtokens").raise_error()
    yield shell
    shell.run_cell("%unload_ext nbtokens")
    InteractiveShell.clear_instance()


def test_commands(project: list[Record], capsys: pytest.CaptureFixture[str]) -> None:
    """One after the other they succeed."""
    lines = _lines_of("sh")
    assert {shlex.split(line)[1] for line in lines} == CHORES.keys() - {"forget", "tail"}
    for line in lines:
        assert main(shlex.split(line)[1:]) == 0, line
    assert capsys.readouterr().err == ""
    assert nbtokens.history().sums.calls == len(project) + 3
    assert len(Path("history.csv").read_text().splitlines()) == 1 + len(project) + 3


def test_magics(project: list[Record], shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command is a magic that says what it did; the last one has taken out whom it names."""
    lines = _lines_of("ipython")
    assert [line.split()[1] for line in lines] == ["verify", "export", "import", "reprice", "archive", "forget"]
    said = {}
    for line in lines:
        capsys.readouterr()
        shell.run_cell(line).raise_error()
        said[line.split()[1]] = capsys.readouterr().out
    assert "None." in said["verify"]
    assert said["import"] == "history.json: 0 rows added, 3 were there already\n"
    assert "Nothing was changed" in said["reprice"] or "None." in said["reprice"]
    assert said["archive"].startswith("0 rows moved")
    assert said["forget"].startswith("1 rows taken out of")
    assert [record.user for record in nbtokens.history().records()] == ["ada", "ada"]


def test_a_magic_that_is_wrong(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    """What can't be done is said in one line, without a traceback; `--help` prints the command's own help."""
    for line, expected in (
        ("forget", "UsageError: %tokens forget: whose rows?"),
        ("archive --before soon", "UsageError: %tokens archive: argument --before: 'soon' is no date"),
        ("import missing.json", "UsageError: %tokens import: "),
        ("verfy", "UsageError: %tokens has no 'verfy'. Did you mean `%tokens verify`?"),
    ):
        capsys.readouterr()
        assert not shell.run_cell(f"%tokens {line}").success
        error = capsys.readouterr().err
        assert error.startswith(expected), error
        assert "Traceback" not in error
    shell.run_cell("%tokens verify --help").raise_error()
    assert "Check the whole history" in capsys.readouterr().out
