"""The token usage report: in code, and at the end of `nbtokens run -v`."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest
from ledgers import ROOT

import nbtokens

if TYPE_CHECKING:
    from pathlib import Path

    from ledgers import Ledger

KNOWN = """
======================================================================
TOKEN USAGE REPORT
======================================================================

Total LLM Invocations: 4
Total Prompt Tokens:   12,001
Total Completion Tokens: 3,000
Total Tokens:          15,001

Average per Invocation:
  Prompt Tokens:       3,000.2
  Completion Tokens:   750.0
  Total Tokens:        3,750.2

----------------------------------------------------------------------
BREAKDOWN BY OPERATION
----------------------------------------------------------------------

fact_answering:
  Invocations:         3
  Total Tokens:        15,000
  Prompt Tokens:       12,000
  Completion Tokens:   3,000
  Avg Tokens/Call:     5,000.0

chat:
  Invocations:         1
  Total Tokens:        1
  Prompt Tokens:       1
  Completion Tokens:   0
  Avg Tokens/Call:     1.0

----------------------------------------------------------------------
BREAKDOWN BY MODEL
----------------------------------------------------------------------

m:
  Invocations:         4
  Total Tokens:        15,001
  Prompt Tokens:       12,001
  Completion Tokens:   3,000
  Avg Tokens/Call:     3,750.2
""".lstrip()


def test_known_form(capsys: pytest.CaptureFixture[str]) -> None:
    """The report has the layout that people know, to the letter."""
    for _ in range(3):
        nbtokens.record(model="m", operation="fact_answering", input_tokens=4000, output_tokens=1000)
    nbtokens.record(model="m", input_tokens=1)
    nbtokens.report(detailed=True)
    assert capsys.readouterr().out == KNOWN
    nbtokens.report()
    assert capsys.readouterr().out == KNOWN.split("\n---")[0]


def test_costs_failures_and_runs(recording: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is a price there are lines for cost; failed calls, and runs without a model, are told apart."""
    with nbtokens.operation("x"):
        nbtokens.record(model="m", input_tokens=10, cost_usd="0.25")
        nbtokens.record(model="m", input_tokens=0, status="error", cost_usd=0)
    with nbtokens.operation("y"):
        pass
    nbtokens.report(detailed=True)
    printed = capsys.readouterr().out
    assert "Total Cost:            $0.2500\nFailed Calls:          1\nRuns That Used an LLM: 1 of 2\n" in printed
    assert "\nx:\n  Invocations:         1\n" in printed
    assert "  Cost:                $0.2500\n  Failed Calls:        1\n" in printed
    assert "\ny:" not in printed


def test_nothing_tracked(capsys: pytest.CaptureFixture[str]) -> None:
    """Without calls it says so, and why that may be."""
    nbtokens.report(detailed=True)
    printed = capsys.readouterr().out
    assert "\nNo LLM invocations tracked\n" in printed
    assert "Recording is off: call nbtokens.enable()" in printed
    nbtokens.enable()
    with nbtokens.operation("x"):
        pass
    nbtokens.report()
    printed = capsys.readouterr().out
    assert "1 operations ran, and none of them needed a model." in printed
    assert "Recording is off" not in printed


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`nbtokens run ...` as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "nbtokens", "run", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


SCRIPT = """
import sys
import helper  # beside the script
import nbtokens

def main():
    nbtokens.record(model="m", input_tokens=40, output_tokens=2, operation="ask")
    print(__name__, sys.argv[1:], nbtokens.session().sums.calls)
    {end}

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def script(ledger: Ledger) -> Path:
    """A folder with a script and a module that it imports."""
    folder = ledger.folder.parent / "deep"
    folder.mkdir()
    (folder / "helper.py").touch()
    return folder / "script.py"


@pytest.mark.parametrize(
    ("end", "code", "error"),
    [
        ("", 0, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit('no luck')", 1, "no luck\n"),
        ("raise ValueError('mine')", 1, "ValueError: mine\n"),
    ],
)
def test_run(end: str, code: int, error: str, script: Path, ledger: Ledger) -> None:
    """The script runs as Python would run it, with its own arguments and exit code; -v reports, whatever its end."""
    script.write_text(SCRIPT.format(end=end))
    done = run(ledger.folder.parent, "-v", "deep/script.py", "-v", "--x", "1")
    assert done.returncode == code
    assert done.stderr.endswith(error)
    assert done.stdout.startswith("__main__ ['-v', '--x', '1'] 1\n")
    assert "Total LLM Invocations: 1\nTotal Prompt Tokens:   40\n" in done.stdout
    assert "BREAKDOWN BY OPERATION" in done.stdout
    assert [row["operation"] for row in ledger.rows()] == ["ask"]
    if "raise" in end:
        assert done.stderr.startswith('Traceback (most recent call last):\n  File "deep/script.py"')


def test_run_of_no_python(script: Path, ledger: Ledger) -> None:
    """A script that can't be compiled ends as it would without nbtokens: with its own error alone."""
    script.write_text("def main(:\n")
    done = run(ledger.folder.parent, "-v", "deep/script.py")
    assert done.returncode == 1
    assert done.stderr.startswith('  File "deep/script.py", line 1\n')
    assert done.stderr.endswith("SyntaxError: invalid syntax\n")
    assert "No LLM invocations tracked" in done.stdout


def test_run_with_threads(script: Path, ledger: Ledger) -> None:
    """The report has what a thread calls that outlives the script; an executor left open holds up nothing."""
    source = """
    import sys
    import threading
    from concurrent.futures import ThreadPoolExecutor
    import nbtokens

    sys.left_open = ThreadPoolExecutor()
    sys.left_open.submit(nbtokens.record, model="m", input_tokens=2).result()

    last_line = threading.Event()

    def ask():
        last_line.wait()
        nbtokens.record(model="m", input_tokens=40)

    threading.Thread(target=ask).start()
    threading.Timer(0.1, last_line.set).start()
    """
    script.write_text(textwrap.dedent(source))
    done = run(ledger.folder.parent, "-v", "deep/script.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Total LLM Invocations: 2\n" in done.stdout


def test_run_quietly(script: Path, ledger: Ledger) -> None:
    """Without -v nothing is printed but what the script prints."""
    script.write_text(SCRIPT.format(end=""))
    done = run(ledger.folder.parent, "deep/script.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "__main__ [] 1\n", "")
    assert len(ledger.rows()) == 1


def test_run_of_nothing(ledger: Ledger) -> None:
    """A script that isn't there is told of in one line."""
    done = run(ledger.folder.parent, "nowhere.py")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "nbtokens run: there is no script nowhere.py\n")
