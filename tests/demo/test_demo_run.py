"""Executing notebooks in real kernels, with the clients' variables set to a model."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

from nbtokens.demo.endpoint import Endpoint
from nbtokens.demo.notebook_file import NotebookFile, given_notebook
from nbtokens.demo.run import Failure, Outcome, execute, read
from nbtokens.errors import NbtokensError

if TYPE_CHECKING:
    from collections.abc import Callable

NOWHERE = Endpoint("http://127.0.0.1:9", "no-model", simulated=True)


def run(notebook: NotebookFile, endpoint: Endpoint = NOWHERE) -> Outcome:
    return execute(notebook, read(notebook), endpoint, lambda _number, _count: None)


def printed(outcome: Outcome) -> list[str]:
    """What each code cell of the executed notebook printed."""
    cells = nbformat.read(outcome.executed, as_version=4).cells
    return ["".join(output.get("text", "") for output in cell.outputs) for cell in cells if cell.cell_type == "code"]


def test_executed_copy(make_notebook: Callable[..., NotebookFile]) -> None:
    """The copy beside the notebook has the outputs; the notebook itself stays as it was."""
    notebook = make_notebook("print('one')", "", "print('two')")
    before = notebook.path.read_bytes()
    outcome = run(notebook)
    assert outcome.ok
    assert (outcome.cells, outcome.started) == (2, 2)
    assert outcome.executed == notebook.path.with_name("small.executed.ipynb")
    assert printed(outcome) == ["one\n", "", "two\n"]
    assert notebook.path.read_bytes() == before


def test_where_the_kernel_runs(make_notebook: Callable[..., NotebookFile]) -> None:
    """The kernel runs in the notebook's folder, knows the notebook's path, and has the model's address."""
    notebook = make_notebook("import json, os; print(json.dumps([os.getcwd(), dict(os.environ)]))")
    folder, environment = json.loads(printed(run(notebook))[0])
    assert Path(folder).samefile(notebook.path.parent)
    assert environment["JPY_SESSION_NAME"] == str(notebook.path)
    assert environment["OPENAI_BASE_URL"] == "http://127.0.0.1:9/v1"
    assert environment["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:9"
    assert environment["NBTOKENS_DEMO_MODEL"] == "no-model"


def test_proxies_are_passed_by(make_notebook: Callable[..., NotebookFile], monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that the machine has configured is not asked for the model, and other exceptions stay."""
    monkeypatch.setenv("NO_PROXY", "example.com")
    notebook = make_notebook("import os; print(os.environ['NO_PROXY'])")
    assert printed(run(notebook)) == ["example.com,127.0.0.1\n"]


def test_kernel_is_this_interpreter(
    make_notebook: Callable[..., NotebookFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel is this interpreter's, whatever kernels are installed under the notebook's kernel name."""
    other = tmp_path / "kernels" / "python3"
    other.mkdir(parents=True)
    (other / "kernel.json").write_text('{"argv": ["false"], "display_name": "Another Python", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    assert printed(run(make_notebook("import sys; print(sys.executable)"))) == [f"{sys.executable}\n"]


def test_real_client_in_the_kernel(make_notebook: Callable[..., NotebookFile], simulated: Endpoint) -> None:
    """A client that is made without arguments reaches the model."""
    outcome = run(make_notebook("import openai; print(openai.OpenAI().models.list().data[0].id)"), simulated)
    assert printed(outcome) == ["simulated-model\n"]


def test_cells_are_known_by_their_ids(make_notebook: Callable[..., NotebookFile]) -> None:
    """The kernel is told each cell's id, as by JupyterLab."""
    ask = "print(get_ipython().get_parent()['metadata'].get('cellId'))"
    assert printed(run(make_notebook(ask, ask))) == ["cell-1\n", "cell-2\n"]


def test_failing_cells(make_notebook: Callable[..., NotebookFile]) -> None:
    """Cells after one that fails are executed, and each failure is told, magics that don't exist among them."""
    outcome = run(make_notebook("1 / 0", "print('after')", "%no_such_magic"))
    assert not outcome.ok
    assert outcome.failures[0] == Failure(1, "ZeroDivisionError: division by zero")
    assert [failure.number for failure in outcome.failures] == [1, 3]
    assert printed(outcome)[1] == "after\n"


def test_failure_that_is_meant(tmp_path: Path) -> None:
    """A cell whose tag says that it raises is no failure."""
    cell = nbformat.v4.new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "meant.ipynb")
    assert run(given_notebook(tmp_path / "meant.ipynb")).ok


def test_kernel_that_dies(make_notebook: Callable[..., NotebookFile]) -> None:
    """When the kernel dies, what was executed until then is kept, and the end is told."""
    outcome = run(make_notebook("print('before')", "import os; os._exit(1)", "print('after')"))
    assert not outcome.ok
    assert outcome.ended_early == "the kernel died in cell [2]"
    assert outcome.started == 2
    assert printed(outcome) == ["before\n", "", ""]


def test_progress(make_notebook: Callable[..., NotebookFile]) -> None:
    """Each cell is announced before it runs."""
    seen: list[tuple[int, int]] = []
    notebook = make_notebook("1", "2")
    execute(notebook, read(notebook), NOWHERE, lambda number, count: seen.append((number, count)))
    assert seen == [(1, 2), (2, 2)]


def test_no_kernel_is_left(make_notebook: Callable[..., NotebookFile]) -> None:
    """The kernel's process is gone when the execution is over."""
    pid = int(printed(run(make_notebook("import os; print(os.getpid())")))[0])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_file_that_is_no_notebook(tmp_path: Path) -> None:
    """What can't be read as a notebook is refused in one line that names it."""
    path = tmp_path / "text.ipynb"
    for content in ("no json", "[]", "{}"):
        path.write_text(content)
        with pytest.raises(NbtokensError, match=r"text\.ipynb can't be read as a notebook: .") as refusal:
            run(given_notebook(path))
        assert "\n" not in str(refusal.value)


def test_copy_that_cannot_be_written(make_notebook: Callable[..., NotebookFile]) -> None:
    """If the executed copy can't be written, that is said."""
    notebook = make_notebook("1")
    notebook.copy("executed").mkdir()
    with pytest.raises(NbtokensError, match="can't be written"):
        run(notebook)
