"""`%%tokens`: the cell runs as it would without it, and what it cost stands below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Ledger
    from running import Shell


def test_by_call(shell: Shell, ledger: Ledger) -> None:
    """The sums of the cell's calls, and a line for each call, as HTML and as text."""
    ran = shell("%%tokens\nask('one')\nask('two words');")
    first, second = ledger.rows()
    tokens = [row["input_tokens"] for row in (first, second)]
    assert tokens == [1, 2]
    assert ran.calls() == 2
    [shown] = ran.displays
    lines = shown["text/plain"].splitlines()
    for line, row in zip(lines[-2:], (first, second), strict=True):
        assert line.split()[1:5] == ["simulated-model", "chat", str(row["input_tokens"]), str(row["output_tokens"])]
    assert f"${(3 * 1000 + 2000 * (first['output_tokens'] + second['output_tokens'])) / 1e6:.4f}" in shown["text/html"]
    assert shown["text/html"].count("<tr ") == 2 + 3


@pytest.mark.parametrize(
    ("source", "value", "printed"),
    [
        ("ask()\n1 + 1", 2, "Out[2]: 2\n"),
        ("ask()\n1 + 1;", None, ""),
        ("ask()\nx = 5", None, ""),
        ("ask()\nprint('x')\n[1]", [1], "x\nOut[2]: [1]\n"),
        ("ask()\nif True:\n    7", None, ""),
    ],
)
def test_the_last_expression_is_displayed(source: str, value: object, printed: str, shell: Shell) -> None:
    """The last expression is the cell's value, is shown and is in Out, as without the magic; so it is with `;`."""
    ran = shell(f"%%tokens\n{source}")
    assert (ran.value, ran.out) == (value, printed)
    assert ran.calls() == 1
    assert shell.shell.user_ns["Out"].get(2) == value


@pytest.mark.parametrize("typed", ["", "\n", "\nx = 1", "\nx = 1\n", "\nx = 1\n\n", "\nif x:\n    y"])
def test_typed_in_a_terminal(typed: str, shell: Shell) -> None:
    """A terminal waits for the rest of the cell, until a blank line, as with IPython's own cell magics."""
    assert shell.shell.check_complete(f"%%tokens{typed}") == shell.shell.check_complete(f"%%time{typed}")


def test_names_stay(shell: Shell) -> None:
    """What the cell assigns is there in the next one."""
    shell("%%tokens\nx = ask().model")
    assert shell("x").value == "simulated-model"


@pytest.mark.parametrize("order", ["%%tokens\n%%time", "%%time\n%%tokens"])
def test_with_time(order: str, shell: Shell, ledger: Ledger) -> None:
    """With %%time, on the line after it or before it, both do what they do, and the value is still the cell's."""
    ran = shell(f"{order}\nask()\n40 + 2")
    assert ran.calls() == 1
    assert "Wall time" in ran.out
    assert ran.value == 42
    assert ledger.only()["attribution"] == "exact"


def test_with_capture(shell: Shell, ledger: Ledger) -> None:
    """With %%capture, which runs the cell inside of its own, the figures are there, and the call is the cell's."""
    ran = shell("%%capture captured\n%%tokens\nask()")
    captured = [output.data["text/plain"] for output in shell("captured.outputs").value]
    assert sum(text.startswith("LLM usage of this cell") for text in captured + ran.texts()) == 1
    row = ledger.only()
    assert (row["execution_count"], row["attribution"]) == (ran.number, "exact")


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("ask()\n1 / 0", "ZeroDivisionError"),
        ("ask()\nraise KeyboardInterrupt", "KeyboardInterrupt"),
        ("x = = 1", "SyntaxError"),
    ],
)
def test_a_cell_that_fails(source: str, error: str, shell: Shell) -> None:
    """The error is shown, once, and so are the figures of what was called until then."""
    ran = shell(f"%%tokens\n{source}", fails=True)
    assert ran.error == error
    assert (ran.out + ran.err).count(error) == shell(source, fails=True).out.count(error)
    assert ran.calls() == (0 if error == "SyntaxError" else 1)


def test_line_numbers_are_those_of_the_cell(shell: Shell) -> None:
    """A traceback speaks of the lines as they stand in the cell, the magic's own being the first."""
    ran = shell("%%tokens\nx = 1\n\n1 / 0", fails=True)
    assert "----> 4 1 / 0" in ran.out
    assert "line 4" in shell("%%tokens\n\n\nx = = 1", fails=True).out


@pytest.mark.parametrize(
    "source", ["%%tokens", "%%tokens\n", "%%tokens\n\n\n", "%%tokens\n# nothing", "%%tokens\n1 + 1;"]
)
def test_a_cell_without_calls(source: str, shell: Shell) -> None:
    """An empty cell, and one that makes no calls, is said to have made none."""
    assert shell(source).texts() == ["LLM usage of this cell\n\nThis cell made no LLM calls."]


@pytest.mark.parametrize(
    "layout",
    [
        "{0}\nask();",
        "\n\n{0}\nask();",
        "  \n{0}\nask();",
        "    {0}\n    ask();",
        "{0}   \nask();",
        "{0}\r\nask();\r\n",
        "{0} # comment\nask();",
        "# comment\n{0}\nask();",
        "x = 1\n{0}\nask();",
        ">>> {0}\n... ask();",
        "In [3]: {0}\n   ...: ask();",
        "{0}?",
        "%{0}\nask();",
        "x = '''\n{0}\n'''\nask();",
    ],
)
def test_stands_where_other_cell_magics_stand(layout: str, shell: Shell) -> None:
    """Wherever IPython takes a line for a cell magic, it takes ours for one, and nowhere else."""
    seen = []

    def another(line: str, cell: str) -> None:
        seen.append(cell)

    shell.shell.register_magic_function(another, "cell", "another")
    succeeds = shell.shell.run_cell(layout.format("%%another")).success
    ran = shell(layout.format("%%tokens"), fails=not succeeds)
    assert [shown["text/plain"].splitlines()[0] for shown in ran.displays] == ["LLM usage of this cell"] * len(seen)
    assert not ran.displays or ran.calls() == 1


def test_with_another_magic_inside(shell: Shell, ledger: Ledger) -> None:
    """Line magics and shell escapes work inside of the cell."""
    ran = shell("%%tokens\nn = %env HOME\nfiles = !echo one two\nask()\nfiles")
    assert ran.calls() == 1
    assert list(ran.value) == ["one two"]


def test_called_as_a_function(shell: Shell, ledger: Ledger) -> None:
    """Run by run_cell_magic inside of a cell it shows the figures of what it ran, and gives back its value."""
    ran = shell("ask()\nvalue = get_ipython().run_cell_magic('tokens', '', 'ask()\\n1 + 1')\nask()\nvalue * 3")
    assert ran.calls() == 1
    assert ran.out == "Out[2]: 6\n"
    rows = ledger.rows()
    assert len(rows) == 3
    assert {(row.get("execution_count"), row["attribution"]) for row in rows} == {(ran.number, "exact")}


@pytest.mark.parametrize(("line", "error"), [("1 / 0", "ZeroDivisionError"), ("x = = 1", "SyntaxError")])
def test_called_as_a_function_that_fails(line: str, error: str, shell: Shell) -> None:
    """What fails in there ends the cell that called it, after the figures are shown."""
    ran = shell(f"get_ipython().run_cell_magic('tokens', '', 'ask()\\n{line}')\nprint('not' + ' reached')", fails=True)
    assert ran.error == error
    assert "not reached" not in ran.out
    assert ran.calls() == (0 if error == "SyntaxError" else 1)


def test_cells_that_a_cell_runs(shell: Shell, ledger: Ledger) -> None:
    """A cell that runs others, as `%run notebook.ipynb` does, is measured and told as one, to its end."""
    ran = shell("%%tokens\nask()\nget_ipython().run_cell('_ = ask()')\nget_ipython().run_cell('')\nask()\n'end'")
    assert ran.calls() == 3
    assert ran.out == "Out[2]: 'end'\n"
    rows = ledger.rows()
    assert len(rows) == 3
    assert {(row["cell"], row.get("execution_count"), row["attribution"]) for row in rows} == {
        (rows[0]["cell"], ran.number, "exact")
    }


def test_the_next_cell_is_not_measured(shell: Shell) -> None:
    """Without the magic nothing is shown, also right after a cell with it."""
    shell("%%tokens\nask();")
    assert shell("ask();").displays == []


def test_is_kept_in_the_input_history(shell: Shell) -> None:
    """The shell's input history holds the cell as it was written."""
    ran = shell("%%tokens\nx = 1")
    assert shell.shell.history_manager is not None
    assert shell.shell.history_manager.input_hist_raw[ran.number or 0] == "%%tokens\nx = 1"
