"""`nbtokens tail` and `nbtokens report`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from ledgers import ROOT

import nbtokens
from nbtokens.cli import main
from nbtokens.record import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from ledgers import Ledger

    from nbtokens.record import Record


def test_the_latest_calls(
    mixed: list[Record], write: Callable[[list[Record]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The last calls, oldest first, and nothing but calls."""
    write(mixed)
    calls = [one for one in mixed if one.kind == "call"]
    assert main(["tail", "-n", "4", "--json"]) == 0
    assert capsys.readouterr().out.splitlines() == [encode(one).decode() for one in calls[-4:]]
    assert main(["tail"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert lines[-1].startswith(calls[-1].started_at.astimezone().isoformat(sep=" ", timespec="seconds"))


def test_following(ledger: Ledger) -> None:
    """With -f, what another process records comes as it happens."""
    nbtokens.record(model="before", input_tokens=1)
    command = [sys.executable, "-m", "nbtokens", "tail", "-f", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as tail:
        try:
            assert tail.stdout is not None
            assert json.loads(tail.stdout.readline())["model"] == "before"
            for name in ("one", "two"):
                nbtokens.record(model=name, input_tokens=1)
                assert json.loads(tail.stdout.readline())["model"] == name
        finally:
            tail.kill()


def test_report_writes_the_summary(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """`nbtokens report` writes USAGE_SUMMARY.md anew and says where it is."""
    nbtokens.record(model="m", input_tokens=1)
    nbtokens.disable()
    summary = ledger.folder / "USAGE_SUMMARY.md"
    summary.write_text("old")
    assert main(["report"]) == 0
    assert capsys.readouterr().out.strip() == str(summary)
    assert "| m " in summary.read_text()
