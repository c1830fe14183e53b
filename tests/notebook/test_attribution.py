"""Which cell, number and notebook a call belongs to, in a shell in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import nbtokens

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Ledger
    from running import Shell


def test_the_number_is_the_one_shown(shell: Shell, ledger: Ledger) -> None:
    """`execution_count` is the n of In[n], whatever cells came before: failed, empty, or without a number."""
    numbers = []
    for source, fails in (("ask()", False), ("1 / 0", True), ("", False), ("x = = 1", True), ("%tokens", False)):
        shell(source, fails=fails)
        numbers.append(shell("ask()").number)
    shell("ask()", store_history=False)
    assert [row.get("execution_count") for row in ledger.rows()] == [2, *numbers, None]
    assert all(row["attribution"] == "exact" for row in ledger.rows())


def test_the_source_where_there_is_no_id(shell: Shell, ledger: Ledger) -> None:
    """Without a cell id, a hash of the source stands for it: the same for the same source, and no text of it."""
    for source in ("ask('secret')", "ask('secret')", "ask('other')"):
        shell(source)
    first, second, third = (row["cell"] for row in ledger.rows())
    assert first == second != third
    assert first.startswith("source-")
    assert b"secret" not in ledger.everything()


def test_an_id_that_ipython_gives(shell: Shell, ledger: Ledger) -> None:
    """Where the front end hands the cell's id to IPython, it is that."""
    shell.shell.run_cell("ask();", cell_id="abc-123")
    assert ledger.only()["cell"] == "abc-123"


def test_threads(shell: Shell, ledger: Ledger) -> None:
    """8 threads in one cell: each call is one record, on that cell for certain."""
    ran = shell(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(8) as pool:\n    answers = list(pool.map(ask, map(str, range(40))))"
    )
    rows = ledger.rows()
    assert len(rows) == len({row["response_id"] for row in rows}) == 40
    assert {(row["execution_count"], row["attribution"]) for row in rows} == {(ran.number, "exact")}


def test_threads_of_nobody(shell: Shell, ledger: Ledger) -> None:
    """A thread that was made past `threading` carries no place: the running cell is a guess, and says so."""
    ran = shell(
        "import _thread, threading\ndone = threading.Event()\n"
        "_thread.start_new_thread(lambda: (ask(), done.set()), ())\ndone.wait(20)"
    )
    row = ledger.only()
    assert ran.value is True
    assert (row["execution_count"], row["attribution"]) == (ran.number, "inferred")


def test_threads_with_a_context(shell: Shell, ledger: Ledger) -> None:
    """A thread that was given the cell's context is the cell's for certain."""
    ran = shell(
        "import contextvars, threading\n"
        "thread = threading.Thread(target=contextvars.copy_context().run, args=(ask,))\nthread.start(); thread.join()"
    )
    row = ledger.only()
    assert (row["execution_count"], row["attribution"]) == (ran.number, "exact")


def test_outside_of_cells(shell: Shell, ledger: Ledger) -> None:
    """What is called while no cell runs belongs to none."""
    shell("ask()")
    shell.shell.user_ns["ask"]()
    row = ledger.rows()[-1]
    assert row["attribution"] == "none"
    assert not {"cell", "execution_count", "notebook"} & set(row)


def test_a_stream_that_is_read_in_a_later_cell(shell: Shell, ledger: Ledger) -> None:
    """A call belongs to the cell that sent its request, wherever its answer is read."""
    asked = shell(
        "%%tokens\n"
        "question = [{'role': 'user', 'content': 'hi'}]\n"
        "stream = gpt.chat.completions.create(model='gpt-5', messages=question, stream=True)"
    )
    assert ledger.rows() == []
    read = shell("%%tokens\nlen(list(stream)) > 5")
    assert read.value is True
    assert (asked.calls(), read.calls()) == (0, 0)
    row = ledger.only()
    assert (row["execution_count"], row["attribution"]) == (asked.number, "exact")


def test_operations_stay_in_the_cell(shell: Shell, ledger: Ledger) -> None:
    """A call in an operation has the operation's name, and the cell's number all the same; the next one has no name."""
    ran = shell(
        "import nbtokens\nwith nbtokens.operation('ask', domain='x') as op:\n    ask()\nop.calls\nask()\nop.calls"
    )
    assert ran.value == 1
    first, second = ledger.rows()
    assert (first["operation"], first["tags"], second.get("operation")) == ("ask", {"domain": "x"}, None)
    assert first["execution_count"] == second["execution_count"] == ran.number


def test_recorded_by_hand(shell: Shell, ledger: Ledger) -> None:
    """nbtokens.record in a cell belongs to the cell, and is in its figures."""
    ran = shell("%%tokens\nimport nbtokens\nnbtokens.record(model='m', input_tokens=5);")
    assert ran.calls() == 1
    assert ledger.only()["execution_count"] == ran.number


@pytest.fixture
def places(ledger: Ledger, tmp_path: Path) -> dict[str, Path]:
    """The test's project, and another way to it."""
    project, link = ledger.folder.parent, tmp_path / "link"
    link.symlink_to(project)
    return {"project": project, "link": link}


@pytest.mark.parametrize(
    ("named", "notebook"),
    [
        ("{project}/a.ipynb", "a.ipynb"),
        ("{project}/deep/er/a b.ipynb", "deep/er/a b.ipynb"),
        ("{project}-2/a.ipynb", "{project}-2/a.ipynb"),
        ("/elsewhere/a.ipynb", "/elsewhere/a.ipynb"),
        ("{link}/deep/a.ipynb", "deep/a.ipynb"),
        ("a.ipynb", "a.ipynb"),
        ("{project}/script.py", "script.py"),
        ("{project}/notes.md", "notes.md"),
        ("2f8e0c1e-console", None),
        ("", None),
    ],
)
def test_the_notebook(
    named: str, notebook: str | None, places: dict[str, Path], shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notebook that Jupyter Server names is told by its path in the project; one elsewhere by its whole path."""
    monkeypatch.setenv("JPY_SESSION_NAME", named.format(**places))
    shell("ask()")
    [record] = nbtokens.history().records()
    assert record.notebook == (None if notebook is None else notebook.format(**places))


def test_the_notebook_in_vs_code(shell: Shell, ledger: Ledger) -> None:
    """VS Code names the notebook in a variable of the user's namespace."""
    shell(f"__vsc_ipynb_file__ = {str(ledger.folder.with_name('code.ipynb'))!r}")
    shell("ask()")
    assert ledger.only()["notebook"] == "code.ipynb"


def test_a_deeper_working_directory(shell: Shell, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that works in a folder of the project writes the project's ledger, with the path from its root."""
    deep = ledger.folder.with_name("deep")
    deep.mkdir()
    monkeypatch.chdir(deep)
    monkeypatch.setenv("JPY_SESSION_NAME", str(deep / "a.ipynb"))
    shell("%reload_ext nbtokens")
    shell("ask()")
    assert ledger.only()["notebook"] == "deep/a.ipynb"
    assert nbtokens.history().path == ledger.path
