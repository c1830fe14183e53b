"""docs/analysis.md: every command, magic and line of code in it runs."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from IPython.core.interactiveshell import InteractiveShell
from ledgers import ROOT

import nbtokens
from nbtokens.cli import main
from nbtokens.questions import QUESTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbtokens.record import Record

TEXT = (ROOT / "docs" / "analysis.md").read_text(encoding="utf-8")


def lines_of(language: str) -> list[str]:
    """The lines of all blocks of a language."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
    return [line for block in found for line in block.splitlines() if line and not line.startswith("#")]


@pytest.fixture
def project(mixed: list[Record], write: Callable[[list[Record]], None]) -> None:
    """A history to ask, and what the commands name."""
    write(mixed)
    Path("script.py").write_text("print('ran')")


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    InteractiveShell.clear_instance()
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


@pytest.mark.parametrize("line", lines_of("sh"))
def test_commands(line: str, project: None, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command succeeds, or fails the way it was asked to, and says something."""
    words = shlex.split(line, comments=True)
    assert words[0] == "nbtokens"
    assert main(words[1:]) in ((0, 1) if {"--fail-on", "--max"} & set(words) else (0,))
    captured = capsys.readouterr()
    assert captured.out
    assert captured.err == ""


def test_magics(project: None, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    """Each magic brings a report, or prints one."""
    shell.run_cell("%load_ext nbtokens").raise_error()
    magics = lines_of("ipython")
    assert magics
    for line in magics:
        capsys.readouterr()
        shell.run_cell(line).raise_error()
        shown = capsys.readouterr().out
        assert shown, line
        assert "not found" not in shown, line  # what IPython says where it takes a line for a call for help
    shell.run_cell("%unload_ext nbtokens").raise_error()


def test_code(project: None) -> None:
    """Each line of code runs."""
    names: dict[str, object] = {}
    exec("\n".join(lines_of("python")), names)
    assert names["nbtokens"] is nbtokens


def test_every_question_is_described() -> None:
    """Each has its magic and its command in a document."""
    documents = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))
    for name in QUESTIONS:
        assert re.search(rf"%tokens {name}\b", documents), name
        assert re.search(rf"\bnbtokens (--team )?{name}\b", documents), name


@pytest.mark.parametrize(
    "words",
    [
        ["stats", "--media"],
        ["summary"],
        ["validate"],
        ["check"],
        ["cost"],
        ["scores"],
        ["prices", "gpt-5"],
        ["whatif", "gpt-5"],
        ["count", "x"],
        ["estimate", "--model", "gpt-5", "--output", "5", "x"],
        ["config"],
    ],
    ids=lambda words: str(words[0]),
)
def test_every_key_of_the_json_is_described(
    words: list[str], project: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """The row of each question names every key that its answer has."""
    assert main([*words, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    [row] = [line for line in TEXT.splitlines() if line.startswith("| `") and f"`{words[0]}`" in line.split("|")[1]][
        -1:
    ]
    described = set(re.findall(r"`(\w+)`", row.split("|", 2)[2]))
    assert set(answer) <= described
    for of in answer.values():
        for one in of if isinstance(of, list) and of and isinstance(of[0], dict) and words[0] != "prices" else []:
            assert set(one) <= described | {"provider", "model", "input_tokens", "output_tokens"}
