"""`%tokens` and its commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

import nbtokens

if TYPE_CHECKING:
    from conftest import Ledger
    from running import Shell


def _row(report: object, name: str) -> list[str]:
    """The figures beside a name in a report, or in a part of its text."""
    text = report if isinstance(report, str) else repr(report)
    [line] = [line for line in text.splitlines() if line.strip().startswith(f"{name} ")]
    return line.strip().removeprefix(name).split()


def test_before_any_call(shell: Shell) -> None:
    """Before any call, %tokens says that there were none."""
    report = shell("%tokens").value
    assert _row(report, "last cell with calls") == ["-"] * 7
    for name in ("this session", "all time"):
        assert _row(report, name) == ["0", "0", "0", "0", "0", "$0.00", "n/a"]
    assert "by model" not in repr(report)


def test_after_calls(shell: Shell, ledger: Ledger) -> None:
    """The last cell with calls, this session and all time, with what they cost, and by model."""
    nbtokens.record(model="old", input_tokens=1000, cost_usd=3)
    nbtokens.session().reset(pd.Timestamp.now("UTC"))
    shell("ask()")
    shell("ask('two words'); ask()")
    shell("'no call'")
    report = shell("%tokens").value
    written = [row["output_tokens"] for row in ledger.rows()[1:]]
    costs = [f"${(read * 1000 + 2000 * out) / 1e6:.4f}" for read, out in ((3, sum(written[1:])), (4, sum(written)))]
    assert _row(report, "last cell with calls")[:6] == ["2", "0", "3", "0", str(sum(written[1:])), costs[0]]
    assert _row(report, "this session")[:6] == ["3", "0", "4", "0", str(sum(written)), costs[1]]
    assert _row(report, "all time")[:5] == ["4", "0", "1,004", "0", str(sum(written))]
    session, every = repr(report).split("this session, by model")[1].split("all time, by model")
    assert "old" not in session
    assert _row(session, "simulated-model") == _row(every, "simulated-model") == ["3", "4", str(sum(written)), costs[1]]
    assert _row(every, "old") == ["1", "1,000", "0", "$3.0000"]


def test_as_html_and_as_text(shell: Shell) -> None:
    """It is an object that notebooks show as HTML and terminals as text."""
    shell("ask()")
    ran = shell("%tokens")
    assert "LLM usage\n\n" in ran.out
    assert "last cell with calls" in ran.out
    assert "<table" not in ran.out
    assert "<td" in ran.value._repr_html_()


def test_failed_calls(shell: Shell) -> None:
    """A call that failed counts as failed, and costs nothing that is known."""
    source = "try:\n    gpt.chat.completions.create(model='gpt-5', messages=5)\nexcept Exception as e:\n    print(e)"
    assert "400" in shell(source).out
    assert _row(shell("%tokens").value, "this session")[:6] == ["1", "1", "0", "0", "0", "$0.00"]


def test_report(shell: Shell, ledger: Ledger) -> None:
    """`%tokens report` writes USAGE_SUMMARY.md and shows what stands in it."""
    shell("ask()")
    summary = ledger.folder / "USAGE_SUMMARY.md"
    summary.unlink(missing_ok=True)
    report = shell("%tokens report").value
    assert summary.read_text().splitlines()[4:] == report._repr_markdown_().splitlines()[4:]
    assert "simulated-model" in summary.read_text()


def test_summary_is_current_after_each_cell(shell: Shell, ledger: Ledger) -> None:
    """USAGE_SUMMARY.md holds the calls of a cell when the cell has ended."""
    for number in range(1, 4):
        shell("ask()")
        [line] = [
            one for one in (ledger.folder / "USAGE_SUMMARY.md").read_text().splitlines() if one.startswith("| calls  ")
        ]
        assert line.split()[3] == str(number)


def test_df(shell: Shell) -> None:
    """`%tokens df` is the history as a DataFrame, `%tokens df session` the part that this session counts."""
    nbtokens.record(model="old", input_tokens=1)
    shell("ask()")
    shell("%tokens reset")
    shell("ask('two words')")
    every, session = shell("%tokens df").value, shell("x = %tokens df session\nx").value
    assert isinstance(every, pd.DataFrame)
    assert every["model"].tolist() == ["old", "simulated-model", "simulated-model"]
    assert session["input_tokens"].tolist() == [2]
    assert list(session.columns) == list(every.columns)


def test_off_and_on(shell: Shell, ledger: Ledger) -> None:
    """Between `%tokens off` and `%tokens on` nothing is recorded; what was stays, and %tokens goes on to show it."""
    shell("ask()")
    for _ in range(2):
        assert shell("%tokens off").out == ""
    shell("ask()")
    assert _row(shell("%tokens").value, "this session")[0] == "1"
    for _ in range(2):
        assert shell("%tokens on").out == ""
    shell("ask()")
    assert len(ledger.rows()) == 2
    assert _row(shell("%tokens").value, "this session")[0] == "2"
    assert [row["execution_count"] for row in ledger.rows()] == [2, 9]


def test_off_and_on_within_a_cell(shell: Shell, ledger: Ledger) -> None:
    """The same within one cell, whose calls still belong to it."""
    ran = shell("%%tokens\nask()\n%tokens off\nask()\n%tokens on\nask();")
    assert ran.calls() == 2
    assert [row["execution_count"] for row in ledger.rows()] == [ran.number] * 2


def test_reset(shell: Shell, ledger: Ledger) -> None:
    """`%tokens reset` counts the session from zero; the history keeps everything."""
    shell("ask()")
    assert shell("%tokens reset").out == ""
    report = shell("%tokens").value
    assert _row(report, "last cell with calls")[0] == "-"
    assert _row(report, "this session")[0] == "0"
    assert _row(report, "all time")[0] == "1"
    shell("ask()")
    assert _row(shell("%tokens").value, "this session")[0] == "1"
    assert len({row["session"] for row in ledger.rows()}) == 1


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("lvie", "%tokens has no 'lvie'. Did you mean `%tokens live`?"),
        ("reprot", "%tokens has no 'reprot'. Did you mean `%tokens report`?"),
        ("of", "%tokens has no 'of'. Did you mean `%tokens off`?"),
        ("xyzzy", "%tokens has no 'xyzzy'. See `%tokens help`."),
        ("df sesion", "%tokens df takes nothing or `session`, not 'sesion'."),
    ],
)
def test_a_word_that_it_does_not_know(line: str, error: str, shell: Shell) -> None:
    """An unknown word brings one line, with the closest word that it knows, and no traceback."""
    ran = shell(f"%tokens {line}", fails=True)
    assert ran.err == f"UsageError: {error}\n"
    assert ran.out == ""


def test_help(shell: Shell) -> None:
    """`%tokens help` prints what there is, and so does the magic's own help."""
    printed = shell("%tokens help").out
    for command in ("live", "report", "df", "df session", "off", "on", "reset", "help"):
        assert f"%tokens {command}" in printed
    assert shell.shell.inspector.info(shell.shell.find_line_magic("tokens"))["docstring"] == printed.strip()
