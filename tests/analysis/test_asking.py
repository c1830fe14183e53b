"""Questions as magics and as commands: one answer, in a notebook, on a terminal, in a pipe."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from ledgers import ROOT

import nbtokens
from nbtokens.questions import QUESTIONS
from nbtokens.reports.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ledgers import Ledger, Script

    from nbtokens.record import Record


@pytest.fixture(autouse=True)
def history(mixed: list[Record], write: Callable[[list[Record]], None]) -> None:
    """Something to ask about."""
    write(mixed)


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """A shell with nbtokens loaded."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(colors="nocolor")
    shell.run_cell("%load_ext nbtokens").raise_error()
    yield shell
    shell.run_cell("%unload_ext nbtokens")
    InteractiveShell.clear_instance()


def test_a_magic_is_a_report(shell: InteractiveShell) -> None:
    """It shows as HTML in a notebook and as text in a terminal, and its figures can be used."""
    found: Any = shell.run_cell("found = %tokens stats --by user\nfound").result
    assert isinstance(found, Report)
    assert "<table" in found._repr_html_()
    assert repr(found).startswith("=== API Token Statistics ===")
    assert {one["name"] for one in found.data["by"]["user"]} == {"ada", "bob"}


@pytest.mark.parametrize("style", ["text", "html", "markdown", "json"])
def test_magic_and_command_agree(style: str, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    """With a format, the magic prints what the command prints."""
    capsys.readouterr()
    shell.run_cell(f"%tokens stats --format {style}").raise_error()
    of_magic = capsys.readouterr().out
    assert nbtokens_command("stats", "--format", style) == of_magic


def nbtokens_command(*words: str) -> str:
    """What a command prints, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "nbtokens", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("stast", "UsageError: %tokens has no 'stast'. Did you mean `%tokens stats`?"),
        ("stats --sinse 7d", "UsageError: %tokens stats: there is no option --sinse; did you mean --since?"),
        ("stats --xyz", "UsageError: %tokens stats: there is no option --xyz; there are -h, --help, --by, "),
        ("stats --since soon", "UsageError: %tokens stats: 'soon' is no time"),
        ("stats --model 'un", "UsageError: %tokens stats: No closing quotation"),
        ("cost --max much", "UsageError: %tokens cost: argument --max: 'much' is no amount of USD"),
        ("prices", "UsageError: %tokens prices: the following arguments are required: MODEL"),
    ],
)
def test_a_wrong_word(line: str, error: str, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    """It brings one line, no traceback, and the shell goes on."""
    capsys.readouterr()
    result = shell.run_cell(f"%tokens {line}")
    captured = capsys.readouterr()
    assert not result.success
    assert captured.err.startswith(error)
    assert "Traceback" not in captured.out + captured.err


@pytest.mark.parametrize("name", sorted(QUESTIONS.keys() - {"budget"}))  # in a notebook, this sets a limit
def test_help(name: str, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` prints the question's own help, in a notebook and in a shell."""
    capsys.readouterr()
    shell.run_cell(f"%tokens {name} --help").raise_error()
    first = (type(QUESTIONS[name]).__doc__ or "").partition("\n")[0]
    assert first in " ".join(capsys.readouterr().out.split())
    assert first in " ".join(nbtokens_command(name, "--help").split())


def test_of_this_session(shell: InteractiveShell) -> None:
    """A last word `session` asks for this session's calls alone, as `--session this` does."""
    nbtokens.record(model="gpt-5", input_tokens=1_000, output_tokens=10)
    nbtokens.record(model="gpt-5", input_tokens=1_000, output_tokens=10)
    for words in ("whatif gpt-5-mini session", "whatif gpt-5-mini --session this"):
        [one] = shell.run_line_magic("tokens", words).data["models"]
        assert (one["used"], one["calls"]) == ("gpt-5", 2)
    assert len(shell.run_line_magic("tokens", "whatif gpt-5-mini").data["models"]) > 1
    assert shell.run_line_magic("tokens", "stats session").data["calls"] == 2


def test_of_this_session_since_its_reset(shell: InteractiveShell) -> None:
    """After `%tokens reset`, all that is asked of this session is of what came after; of its id, the whole session."""
    for _ in range(3):
        nbtokens.record(model="gpt-5", input_tokens=7, output_tokens=70, duration_s=1.0)
        nbtokens.score(quality=0.5)
    shell.run_line_magic("tokens", "reset")
    call: dict[str, Any] = {"model": "gpt-5", "input_tokens": 1_000, "output_tokens": 10, "duration_s": 2.0}
    nbtokens.record(**call)
    nbtokens.record(**call, started_at=datetime(2020, 1, 1, tzinfo=UTC))
    nbtokens.score(quality=1.0)

    def of(words: str) -> Any:  # noqa: ANN401 - what a report holds
        return shell.run_line_magic("tokens", words).data

    mine = nbtokens.session()
    assert mine.sums.calls == sum(one.kind == "call" for one in mine.records()) == 2
    for words in ("session", "--session this"):
        assert of(f"stats {words}")["input_tokens"] == of(f"stats --by cell {words}")["input_tokens"] == 2_000
        assert of(f"cost {words}")["calls"] == of(f"check {words}")["calls"] == 2
        assert of(f"validate {words}")["runs"][0]["whole"]["calls"] == 2
        assert of(f"scores {words}")["scores"]["quality"]["avg"] == 1
        assert [one["calls"] for one in of(f"whatif gpt-5-mini {words}")["models"]] == [2]
    assert of("stats --session this --since 1h")["calls"] == 1
    assert nbtokens.stats(session="this")["input_tokens"]["sum"] == 2_000
    assert nbtokens.stats("operation", session="this")["chat"]["output_tokens"]["sum"] == 20
    assert of(f"stats --session {mine.id}")["calls"] == nbtokens.stats(session=mine.id)["duration_s"]["count"] == 5


def test_money_can_be_hidden(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the user hides money, answers show none, in any format that people read."""
    shell.run_cell("%tokens hide-cost").raise_error()
    capsys.readouterr()
    shell.run_cell("%tokens cost --format text").raise_error()
    printed = capsys.readouterr().out
    assert "•••" in printed
    assert not re.search(r"\$\d", printed)


def test_on_a_terminal(ledger: Ledger) -> None:
    """A person at a terminal gets the answer in the terminal's width, with bold headings."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "200"}
    environment.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "nbtokens", "stats"]
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.STDOUT, env=environment) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
    os.close(ours)
    text = shown.decode()
    assert process.returncode == 0
    assert "=== API Token Statistics ===" in text
    assert "\x1b[" in text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    for model in ("gpt-5", "claude", "local_model"):
        assert re.search(rf"^\s*{model}\s+\d", plain, flags=re.MULTILINE)


def test_rich_is_not_loaded_before_it_is_needed(script: Script) -> None:
    """Neither importing nor loading, nor an answer in code, loads what draws in terminals."""
    printed = script(
        "import sys, nbtokens\nnbtokens.stats()\nnbtokens.enable()\n"
        "print([name for name in ('rich', 'pandas', 'matplotlib') if name in sys.modules])"
    )
    assert printed == "[]\n"


def test_json_is_money_exactly(capsys: pytest.CaptureFixture[str]) -> None:
    """Amounts in JSON are numbers with all of their digits."""
    printed = nbtokens_command("stats", "--json")
    assert json.loads(printed)["cost_usd"] == pytest.approx(float(nbtokens.history().sums.cost_usd))
    assert f'"cost_usd": {nbtokens.history().sums.cost_usd}' in printed
