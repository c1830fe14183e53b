"""`%%tokens --op NAME -o VARIABLE --quiet`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nbtokens.notebook.cell_options import CELL_OPTIONS

if TYPE_CHECKING:
    from conftest import Ledger
    from running import Kernel, Shell


def test_op(shell: Shell, ledger: Ledger) -> None:
    """`--op` names the calls of the cell; what the cell names itself keeps its own name; the next cell has none."""
    shell("%%tokens --op 'name rivers'\nimport nbtokens\nask()\nwith nbtokens.operation('inner'):\n    ask()")
    shell("ask()")
    assert [row.get("operation") for row in ledger.rows()] == ["name rivers", "inner", None]


def test_o(shell: Shell, ledger: Ledger) -> None:
    """`-o` puts the figures into a variable, which the following cells read."""
    ran = shell("%%tokens -o spent\nask('two words')\n1 + 1")
    assert (ran.calls(), ran.value) == (1, 2)
    row = ledger.only()
    assert shell("spent.calls, spent.input_tokens, spent.output_tokens, spent.cost_usd").value == (
        1,
        2,
        row["output_tokens"],
        row["cost_usd"],
    )
    assert f"2 in, {row['output_tokens']} out" in shell("spent").out


def test_quiet(shell: Shell) -> None:
    """`--quiet` shows the cell's own result and nothing more."""
    ran = shell("%%tokens --quiet -o spent\nask()\n1 + 1")
    assert (ran.displays, ran.out, ran.value) == ([], "Out[2]: 2\n", 2)
    assert shell("spent.calls").value == 1


def test_in_a_failing_cell(shell: Shell) -> None:
    """A cell that fails leaves its figures too."""
    shell("%%tokens -o spent --quiet\nask()\n1 / 0", fails=True)
    assert shell("spent.calls").value == 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("--quit", "%%tokens has no '--quit'. Did you mean --quiet?"),
        ("live", f"%%tokens has no 'live'. It takes {', '.join(CELL_OPTIONS)}."),
        ("--op", f"%%tokens: argument --op: expected one argument. It takes {', '.join(CELL_OPTIONS)}."),
        ("-o 5", "%%tokens: -o wants a name for a variable, not '5'."),
        ("--op 'x", '%%tokens: No closing quotation in "--op \'x".'),
    ],
)
def test_a_mistake(line: str, told: str, shell: Shell, ledger: Ledger) -> None:
    """A wrong option brings one line, and the cell is not run; the next one is as ever."""
    ran = shell(f"%%tokens {line}\nask()", fails=True)
    assert ran.err == f"UsageError: {told}\n"
    assert (ran.displays, ledger.rows()) == ([], [])
    assert shell("%%tokens\nask();").calls() == 1


def test_called_as_a_function(shell: Shell, ledger: Ledger) -> None:
    """The options hold too where the magic is called as a function."""
    shell("get_ipython().run_cell_magic('tokens', '--op rivers -o spent --quiet', 'ask()')\nask();")
    assert [row.get("operation") for row in ledger.rows()] == ["rivers", None]
    assert shell("spent.calls").value == 1


def test_many_calls_stay_compact(shell: Shell) -> None:
    """The block names the latest 10 calls of a cell, and says of how many."""
    [text] = shell("%%tokens\nfor n in range(12):\n    ask(str(n))").texts()
    assert text.count("simulated-model") == 10
    assert text.endswith("(the latest 10 of 12 calls)")


def test_tasks_of_the_cell_have_its_operation(kernel: Kernel) -> None:
    """With `await`, in tasks and in threads the calls have the cell's name."""
    kernel(
        "%%tokens --op gathers --quiet\n"
        "await asyncio.gather(aask(), asyncio.to_thread(ask), asyncio.create_task(aask()))\n"
        "thread = threading.Thread(target=ask); thread.start(); thread.join()",
        cell_id="--op gathers",
    )
    assert [row["operation"] for row in kernel.rows("--op gathers")] == ["gathers"] * 4
