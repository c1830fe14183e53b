"""`--json`: every command has it, prints nothing else, and docs/analysis.md names each key."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ledgers import ROOT

from nbtokens.cli import main, parser
from nbtokens.commands import COMMANDS
from nbtokens.record import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.record import Record

TEXT = (ROOT / "docs" / "analysis.md").read_text(encoding="utf-8").partition("\n## JSON\n")[2]


def described(name: str) -> set[str]:
    """The keys that the document names for a command."""
    [row] = [line for line in TEXT.splitlines() if line.startswith("| `") and f"`{name}`" in line.split("|")[1]]
    return set(re.findall(r"`(\w+)`", row.split("|", 2)[2]))


def keys(value: Any) -> set[str]:  # noqa: ANN401 - what JSON holds
    """The keys of an object, and of those in lists of it."""
    if isinstance(value, list):
        return set().union(*map(keys, value))
    if not isinstance(value, dict):
        return set()
    return set(value).union(*(keys(one) for one in value.values() if isinstance(one, list)))


def test_each_command_has_it() -> None:
    """Whatever stands behind `nbtokens` takes `--json`, and the document has a row for it."""
    [parts] = [one for one in parser()._actions if isinstance(one, argparse._SubParsersAction)]
    assert parts.choices.keys() == COMMANDS.keys()
    for name, part in parts.choices.items():
        assert "--json" in part._option_string_actions, name
        assert described(name), name


@pytest.fixture
def project(
    mixed: list[Record],
    write: Callable[[list[Record]], None],
    make: Callable[..., Record],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A history, and the files that the commands name."""
    monkeypatch.setenv("IPYTHONDIR", str(Path("ipython").absolute()))
    write(mixed)
    Path("other.json").write_bytes(b"[\n" + encode(make(user="eve")) + b"\n]\n")
    Path("table.csv").write_text("model,started_at\nm,2026-11-01\nm,soon\n")
    Path("script.py").touch()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["report"], 0),
        (["autoload"], 0),
        (["autoload", "on"], 1),
        (["autoload", "on", "--yes"], 0),
        (["autoload", "off"], 0),
        (["verify"], 0),
        (["verify", "--repair"], 0),
        (["reprice"], 0),
        (["reprice", "--yes"], 0),
        (["archive"], 0),
        (["forget", "--user", "ada"], 0),
        (["forget", "--user", "ada", "--yes"], 0),
        (["import", "other.json", "table.csv"], 1),
        (["doctor"], 0),
        (["run", "FILE", "script.py"], 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_came_of_it(words: list[str], code: int, project: None, capsys: pytest.CaptureFixture[str]) -> None:
    """It is one object, and nothing else is printed; each of its keys is described."""
    name, *more = words
    assert main([name, "--json", *more]) == code
    printed = capsys.readouterr().out
    answer = json.loads(Path("FILE").read_text() if name == "run" else printed)
    assert isinstance(answer, dict)
    assert keys(answer) - {"name"} <= described(name)


def test_rows(mixed: list[Record], write: Callable[[list[Record]], None], capsys: pytest.CaptureFixture[str]) -> None:
    """`export --json` is the whole history, `tail --json` the latest calls, one a line."""
    write(mixed)
    assert main(["export", "--json"]) == 0
    assert [row["id"] for row in json.loads(capsys.readouterr().out)] == [one.id for one in mixed]
    assert main(["tail", "--json", "-n", "3"]) == 0
    calls = [one.id for one in mixed if one.kind == "call"]
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == calls[-3:]


def test_figures_of_outcomes(
    mixed: list[Record], write: Callable[[list[Record]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """What is counted in words is counted in JSON."""
    write(mixed)
    of_ada = sum(one.user == "ada" for one in mixed)

    def say(*words: str) -> Any:  # noqa: ANN401 - what JSON holds
        assert main([*words, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    assert say("verify")["rows"] == {
        kind: sum(one.kind == kind for one in mixed) for kind in ("cache_hit", "call", "run")
    }
    assert say("forget", "--user", "ada") == {"rows": of_ada, "forgotten": False}
    assert say("forget", "--user", "ada", "--yes")["rows"] == of_ada
    assert say("verify")["ok"] is True
    assert say("stats")["calls"] == sum(one.kind == "call" and one.user != "ada" for one in mixed)


def test_a_report_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing is recorded yet no file is claimed to be there."""
    Path(".metrics").rmdir()
    assert main(["report"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("nbtokens report: nothing is recorded yet, so there is no ")
    assert not Path(".metrics").exists()
