"""`doctor`: what it finds, in a shell and on the command line."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

import nbtokens
from nbtokens import escapes
from nbtokens.cli import main
from nbtokens.guard import guarded
from nbtokens.questions.doctor import examine
from nbtokens.reports.doctor import doctor_report
from nbtokens.reports.renderers import RENDERERS
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledgers import Ledger, Script

    from nbtokens.guard import Guard


@pytest.fixture
def no_failures(faults_expected: Guard) -> Iterator[None]:
    """The guard as at the start of a process, whatever the tests before made it swallow."""
    failures, last = guarded.failures, list(guarded.last_tracebacks)
    guarded.failures = 0
    guarded.last_tracebacks.clear()
    yield
    guarded.failures = failures
    guarded.last_tracebacks.clear()
    guarded.last_tracebacks.extend(last)


def found(capsys: pytest.CaptureFixture[str], code: int = 0) -> Any:  # noqa: ANN401 - a JSON document
    """What the command finds; it must end with `code`."""
    assert main(["doctor", "--format", "json"]) == code
    return json.loads(capsys.readouterr().out)


def test_all_is_well(no_failures: None, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """In a fresh project nothing is wrong; the report says where the history will be, and what runs here."""
    health = found(capsys)
    assert health["ok"] is True
    assert health["problems"] == []
    assert health["history"] == {"path": str(ledger.path), "writable": True, "waiting_records": 0, "size_bytes": 0}
    assert health["versions"]["nbtokens"] == nbtokens.__version__
    assert health["versions"]["httpx"]
    assert re.fullmatch(r"genai-prices \d.*", health["prices"]["data"])
    assert health["prices"]["days_ago"] >= 0
    assert (health["recording"], health["hooked"]) == (False, [])
    assert list(ledger.folder.iterdir()) == []


def test_while_recording(no_failures: None, recording: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """The hooked methods are listed, and the history's size is that of its file."""
    nbtokens.record(model="m", input_tokens=1, cost_usd=0)
    health = found(capsys)
    assert health["recording"] is True
    assert "httpx.Client.send" in health["hooked"]
    assert health["history"]["size_bytes"] == recording.path.stat().st_size > 0


def test_a_foreign_file(no_failures: None, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """Where another program's file has the history's name, that is wrong, and the records that wait are counted."""
    ledger.path.write_text('{"mine": 1}')
    nbtokens.record(model="m", input_tokens=1, cost_usd=0)
    health = found(capsys, code=1)
    assert health["ok"] is health["history"]["writable"] is False
    assert health["history"]["waiting_records"] == 1
    [problem] = health["problems"]
    assert "is not a usage history" in problem
    ledger.path.unlink()
    runtime().store.flush()


def test_no_folder_can_be_made(
    no_failures: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A ledger below something that is no folder can't be written."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NBTOKENS_DIR", str(tmp_path / "file" / "below"))
    runtime().set_up(anew=True)
    [problem] = found(capsys, code=1)["problems"]
    assert "can't be written" in problem


def test_a_mistake_in_the_settings(no_failures: None, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong with the settings is told, and which file."""
    ledger.folder.with_name("nbtokens.toml").write_text("usr = 'ada'")
    runtime().set_up(anew=True)
    health = found(capsys, code=1)
    assert "did you mean 'user'" in health["settings"]["problem"]
    assert health["problems"] == [health["settings"]["problem"]]


def test_swallowed_errors(no_failures: None, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """Errors that the guard has swallowed are wrong; the report shows the last of them."""
    with guarded:
        raise LookupError("inside of nbtokens")
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "swallowed 1 errors of its own" in out
    assert "LookupError: inside of nbtokens" in out
    assert found(capsys, code=1)["failures"] == 1


@pytest.mark.parametrize("name", sorted(RENDERERS))
def test_every_form(name: str, no_failures: None, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """Every renderer writes the whole report."""
    assert main(["doctor", "--format", name]) == 0
    out = capsys.readouterr().out
    assert "genai-prices" in out
    assert ".metrics" in out


def test_a_package_that_escapes(no_failures: None, ledger: Ledger, tmp_path: Path, script: Script) -> None:
    """An installed package of the table is named with its remedy, and is not imported for it; so is a program."""
    (tmp_path / "xai_sdk.py").write_text("raise AssertionError('imported')")
    about = tmp_path / "xai_sdk-1.2.3.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: xai-sdk\nVersion: 1.2.3\n")
    program = tmp_path / "codex"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    out = script(
        "import sys; sys.path.insert(0, sys.argv[1])\nfrom nbtokens.cli import main\nmain(['doctor', '--json'])",
        str(tmp_path),
        PATH=str(tmp_path),
    )
    seen = {one["name"]: one for one in json.loads(out)["escapes"]}
    assert seen["xai-sdk"]["how"] == "gRPC"
    assert "openai SDK" in seen["xai-sdk"]["remedy"]
    assert "codex" in seen
    assert "gemini" not in seen


def test_the_table() -> None:
    """Each package is named once, in the normal form of its name, with a way that it goes and something to do."""
    names = [one.name for one in escapes.PACKAGES]
    assert len(set(names)) == len(names)
    for one in (*escapes.PACKAGES, *escapes.PROGRAMS):
        assert re.fullmatch(r"[a-z0-9-]+", one.name)
        assert one.how
        assert one.remedy
        assert one.name not in escapes.SDKS


def test_what_remedies_name_exists() -> None:
    """Every function of nbtokens that a remedy names is there."""
    remedies = " ".join(one.remedy for one in (*escapes.PACKAGES, *escapes.PROGRAMS))
    named = set(re.findall(r"nbtokens\.(\w+)", remedies))
    assert "record" in named
    assert {name for name in named if not hasattr(nbtokens, name)} == set()


def test_the_report_without_trouble(no_failures: None, ledger: Ledger) -> None:
    """Where all is well, the report says so first."""
    text = repr(doctor_report(examine(nbtokens.history())))
    assert text.startswith("How nbtokens stands\n\nWhat is wrong\n  Nothing.")
