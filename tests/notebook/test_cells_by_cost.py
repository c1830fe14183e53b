"""`%tokens cells`: the notebook's cells by cost, how often each was run, and what running it again has cost."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

import nbtokens
from nbtokens.amounts import usd
from nbtokens.notebook.sources import telling_line
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from conftest import Ledger
    from running import Kernel, Shell

COLUMNS = ("cell", "code", "runs", "calls", "input", "output", "cost", "re-runs", "identical requests")


def shown(report: Any) -> list[dict[str, str]]:  # noqa: ANN401 - what the magic gave back
    """The rows of the report's table, by column."""
    table = report.parts[0]
    assert table.names == COLUMNS
    return [dict(zip(COLUMNS, row, strict=True)) for row in table.rows]


def cost(rows: list[dict[str, Any]]) -> str:
    """What some rows of the ledger cost, added up anew."""
    return usd(sum((row["cost_usd"] for row in rows), Decimal(0)))


@pytest.fixture
def notebook(shell: Shell, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell whose cells are those of a notebook in the project."""
    monkeypatch.setenv("JPY_SESSION_NAME", str(ledger.folder.parent / "a.ipynb"))
    return shell


def run(shell: Shell, cell: str, source: str) -> None:
    """Run a cell with the id that its front end gives."""
    shell.shell.run_cell(source, store_history=True, cell_id=cell).raise_error()


def test_before_any_call(notebook: Shell) -> None:
    """Without calls it says that there were none."""
    assert "No cell has made calls yet." in repr(notebook("%tokens cells").value)


def test_runs_and_what_running_again_costs(notebook: Shell, ledger: Ledger) -> None:
    """The dearest cell comes first, with its runs, the cost of all runs but the first, and of what was asked before."""
    run(notebook, "one", "ask('a b c')")
    for question in ("a", "b", "a"):
        run(notebook, "two", f"# a comment\nasked = ask({question!r}); ask('a long question of many words {question}')")
    two = [row for row in ledger.rows() if row["cell"] == "two"]
    report = notebook("%tokens cells").value
    first, second = shown(report)
    assert report.title == "LLM usage by cell, a.ipynb"
    assert first == {
        "cell": f"[{two[-1]['execution_count']}]",
        "code": "asked = ask('a'); ask('a long question of many …",
        "runs": "3",
        "calls": "6",
        "input": str(sum(row["input_tokens"] for row in two)),
        "output": str(sum(row["output_tokens"] for row in two)),
        "cost": cost(two),
        "re-runs": cost(two[2:]),
        "identical requests": cost(two[4:]),
    }
    assert (second["code"], second["runs"], second["re-runs"], second["identical requests"]) == (
        "ask('a b c')",
        "1",
        "-",
        "-",
    )
    assert f"Running cells again has cost {cost(two[2:])} (4 calls)." in report.parts
    assert f"Requests identical to earlier ones have cost {cost(two[4:])} (2 calls)." in report.parts


def test_identical_to_another_cells_request(notebook: Shell, ledger: Ledger) -> None:
    """What another cell was answered before counts as asked before; what failed there does not."""
    run(
        notebook, "fails", "try:\n    gpt.chat.completions.create(model='gpt-5', messages=5)\nexcept Exception:\n    ''"
    )
    run(
        notebook, "again", "try:\n    gpt.chat.completions.create(model='gpt-5', messages=5)\nexcept Exception:\n    ''"
    )
    run(notebook, "asks", "ask('a')")
    run(notebook, "asks too", "x = ask('a')")
    by_code = {row["code"]: row for row in shown(notebook("%tokens cells").value)}
    assert by_code["x = ask('a')"]["identical requests"] == cost(ledger.rows()[-1:])
    assert by_code["ask('a')"]["identical requests"] == by_code["try:"]["identical requests"] == "-"


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("import os\nfrom sys import path\n\nask()", "ask()"),
        ("# why\n%%tokens\nask()", "ask()"),
        ("import os", "import os"),
        ("# nothing else", "# nothing else"),
        ("", ""),
    ],
)
def test_the_line_that_a_cell_is_known_by(source: str, line: str) -> None:
    """What imports says little of a cell: the first other line does, where there is one."""
    assert telling_line(source) == line


def test_restart_and_run_all(notebook: Shell, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a restart the cells are the same ones, wherever they stand now; their numbers are the new ones."""
    for cell in ("one", "two"):
        run(notebook, cell, f"ask('{cell}')")
    for part, name in ((runtime().session, "id"), (runtime().meter.rows, "_session")):  # as after a restart
        monkeypatch.setattr(part, name, "another session")
    for cell in ("two", "one"):
        run(notebook, cell, f"ask('{cell}')")
    by_code = {row["code"]: row for row in shown(notebook("%tokens cells").value)}
    rows = ledger.rows()
    assert {row["session"] for row in rows[2:]} == {"another session"}
    assert [by_code[f"ask('{cell}')"]["runs"] for cell in ("one", "two")] == ["2", "2"]
    assert by_code["ask('one')"]["cell"] == f"[{rows[-1]['execution_count']}]"
    assert by_code["ask('one')"]["re-runs"] == by_code["ask('one')"]["identical requests"] == cost(rows[3:])
    assert [row["runs"] for row in shown(notebook("%tokens cells session").value)] == ["1", "1"]


def test_code_of_cells_that_this_kernel_has_not_run(notebook: Shell, ledger: Ledger) -> None:
    """It is read from the notebook's file, by id or by source; of a cell that is gone, it says so."""
    for cell, source in (("by-id", "ask('1')"), (None, "ask('by source')"), ("gone", "ask('3')")):
        notebook.shell.run_cell(source, store_history=True, cell_id=cell).raise_error()
    code = [
        {"cell_type": "markdown", "id": "by-id", "source": "no code"},
        {"cell_type": "code", "id": "by-id", "source": ["changed = ", "ask('1')\n"]},
        {"cell_type": "code", "source": "ask('by source')"},
    ]
    (ledger.folder.parent / "a.ipynb").write_text(json.dumps({"cells": code}))
    notebook("%reload_ext nbtokens")
    report = notebook("%tokens cells").value
    assert {row["code"] for row in shown(report)} == {"changed = ask('1')", "ask('by source')", "(no longer there)"}


@pytest.mark.parametrize("content", ["", "[]", '{"cells": 5}', '{"cells": [5]}', '{"cells": [{"cell_type": "code"}]}'])
def test_a_file_that_is_no_notebook(content: str, notebook: Shell, ledger: Ledger) -> None:
    """What can't be read is left aside."""
    run(notebook, "one", "ask()")
    (ledger.folder.parent / "a.ipynb").write_text(content)
    assert shown(notebook("%tokens cells").value)[0]["code"] == "ask()"


def test_other_notebooks_are_left_out(notebook: Shell, monkeypatch: pytest.MonkeyPatch, ledger: Ledger) -> None:
    """Only the notebook's own cells are shown, and no calls without a cell."""
    run(notebook, "one", "ask()")
    nbtokens.record(model="m", input_tokens=1)
    monkeypatch.setenv("JPY_SESSION_NAME", str(ledger.folder.parent / "b.ipynb"))
    run(notebook, "one", "ask(); ask('b')")
    assert [row["calls"] for row in shown(notebook("%tokens cells").value)] == ["2"]


def test_without_a_notebook(shell: Shell) -> None:
    """In a terminal, which has no notebook, they are the inputs of this session."""
    shell("ask()")
    shell("%tokens reset")
    for _ in range(2):
        shell("ask('x')")
    report = shell("%tokens cells").value
    assert report.title == "LLM usage by cell, this session"
    [row] = shown(report)
    assert (row["cell"], row["code"], row["runs"]) == ("[5]", "ask('x')", "2")


def test_another_word(shell: Shell) -> None:
    """It takes nothing but `session`."""
    assert "takes nothing or `session`, not 'x'" in shell("%tokens cells x", fails=True).err


def test_calls_that_finish_in_a_later_cell(kernel: Kernel) -> None:
    """A task's call counts for the cell that started the task, wherever it ends."""
    kernel("%tokens reset")
    kernel("later = asyncio.create_task(aask('by cell, later'))", cell_id="starts, by cell")
    kernel("answer = await later", cell_id="awaits, by cell")
    text = kernel("%tokens cells session").value["text/plain"]
    assert "later = asyncio.create_task" in text
    assert "await later" not in text
