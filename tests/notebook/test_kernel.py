"""In a real kernel: awaiting cells, tasks, threads, interrupts, and the ids that a front end gives its cells."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from running import wait_until

if TYPE_CHECKING:
    from running import Kernel


def test_await_at_the_top_of_a_measured_cell(kernel: Kernel) -> None:
    """`%%tokens` works with `await` at the top of the cell: value, figures, cell and number are right."""
    ran = kernel("%%tokens\nanswer = await aask('two words')\nanswer.usage.prompt_tokens", cell_id="awaits")
    assert ran.value["text/plain"] == "2"
    assert ran.calls() == 1
    assert "text/html" in ran.displays[0]
    [row] = kernel.rows("awaits")
    assert (row["execution_count"], row["attribution"]) == (ran.number, "exact")


def test_an_awaiting_cell_that_fails(kernel: Kernel) -> None:
    """The error comes as ever, with the cell's own line number, and the figures as well."""
    ran = kernel("%%tokens\nawait aask()\n\nawait asyncio.wait_for(asyncio.sleep(9), 0.01)", fails=True)
    assert ran.error == "TimeoutError"
    assert "----> 4 await asyncio.wait_for" in ran.traceback
    assert ran.calls() == 1


@pytest.mark.parametrize("source", ["ask();", "await aask();", "%%tokens\nask();", "%%time\nask();", "ask()\n1/0"])
def test_cell_and_number(source: str, kernel: Kernel) -> None:
    """The record holds the id that the front end gave the cell, and the number that it shows beside it."""
    cell = f"cell of {source!r}"
    ran = kernel(source, cell_id=cell, fails="1/0" in source)
    [row] = kernel.rows(cell)
    assert (row["execution_count"], row["attribution"]) == (ran.number, "exact")


def test_without_an_id(kernel: Kernel) -> None:
    """A front end that gives no ids: the cell is told by a hash of its source."""
    number = kernel("answer = ask('without an id')").number
    newest = kernel(
        "import nbtokens, msgspec\nmsgspec.to_builtins(list(nbtokens.history().records())[-1])['cell']"
    ).value
    cell = newest["text/plain"].strip("'")
    assert cell.startswith("source-")
    [row] = kernel.rows(cell)
    assert row["execution_count"] == number


def test_32_calls_at_once(kernel: Kernel) -> None:
    """32 asynchronous calls of one cell are 32 records, all of them on that cell."""
    ran = kernel("%%tokens\nawait asyncio.gather(*[aask(str(n)) for n in range(32)]);", cell_id="gathers")
    assert ran.calls() == 32
    rows = kernel.rows("gathers")
    assert len({row["response_id"] for row in rows}) == len(rows) == 32
    assert {(row["execution_count"], row["attribution"]) for row in rows} == {(ran.number, "exact")}


@pytest.mark.parametrize(
    ("source", "attribution"),
    [
        ("threads = [threading.Thread(target=ask) for _ in range(8)]\n[t.start() for t in threads]", "exact"),
        ("await asyncio.gather(*[asyncio.to_thread(ask) for _ in range(8)])", "exact"),
        ("await asyncio.gather(*[asyncio.create_task(aask()) for _ in range(8)])", "exact"),
    ],
)
def test_threads_and_tasks(source: str, attribution: str, kernel: Kernel) -> None:
    """8 at once, in whatever way: each is one record on the cell that started it, and in its figures."""
    cell = f"8 at once: {source}"
    end = "\n[t.join() for t in threads];" if "Thread(" in source else ";"
    ran = kernel(f"%%tokens\n{source}{end}", cell_id=cell)
    assert ran.calls() == 8
    rows = kernel.rows(cell)
    assert {(row["execution_count"], row["attribution"]) for row in rows} == {(ran.number, attribution)}
    assert len(rows) == 8


def test_a_task_that_ends_in_a_later_cell(kernel: Kernel) -> None:
    """A call belongs to the cell that started its task, even if another cell runs when it is made."""
    kernel(
        "async def later():\n    await go.wait()\n    return await aask()\n"
        "go = asyncio.Event()\ntask = asyncio.create_task(later())",
        cell_id="starts the task",
    )
    assert kernel.rows("starts the task") == []
    ran = kernel("%%tokens\ngo.set()\nanswer = await task\nask();", cell_id="awaits the task")
    assert ran.calls() == 1
    [row] = kernel.rows("starts the task")
    assert row["attribution"] == "exact"
    assert len(kernel.rows("awaits the task")) == 1


def test_while_no_cell_runs(kernel: Kernel) -> None:
    """A call that a thread makes after its cell has ended, while no other runs, is still that cell's."""
    number = kernel("threading.Timer(0.3, ask).start()", cell_id="sets a timer").number
    wait_until(lambda: len(kernel.rows("sets a timer")) == 1)
    [row] = kernel.rows("sets a timer")
    assert (row["execution_count"], row["attribution"]) == (number, "exact")


@pytest.mark.parametrize("source", ["time.sleep(60)", "while True:\n    await asyncio.sleep(0.05)"])
def test_an_interrupted_cell(source: str, kernel: Kernel) -> None:
    """Interrupted, a cell shows what it had called until then; the next one is a cell like any other."""
    cell = f"interrupted: {source}"
    request = kernel.send(f"%%tokens\nask()\nprint('asked', flush=True)\n{source}", cell_id=cell)
    try:
        wait_until(lambda: len(kernel.rows(cell)) == 1)
        time.sleep(0.2)  # the sleep has begun
    finally:
        kernel.manager.interrupt_kernel()
    ran = kernel.wait(request, fails=True)
    assert ran.error in ("KeyboardInterrupt", "CancelledError")
    assert ran.calls() == 1
    after = kernel("ask();", cell_id=f"after {cell}")
    assert after.displays == []
    [row] = kernel.rows(f"after {cell}")
    assert row["execution_count"] == after.number


def test_the_notebook(kernel: Kernel) -> None:
    """The notebook is the one that Jupyter Server names to its kernel, told by its path in the project."""
    kernel(f"os.environ['JPY_SESSION_NAME'] = {str(kernel.project / 'deep' / 'a.ipynb')!r}")
    kernel("ask();", cell_id="in a notebook")
    kernel("del os.environ['JPY_SESSION_NAME']")
    kernel("ask();", cell_id="in none")
    assert [row.get("notebook") for row in kernel.rows("in a notebook") + kernel.rows("in none")] == [
        "deep/a.ipynb",
        None,
    ]
