"""Where notebooks are run and read without JupyterLab: nbclient, papermill, nbconvert, a terminal, VS Code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import papermill
import pytest
from nbclient import NotebookClient
from nbconvert.exporters import HTMLExporter, MarkdownExporter
from running import PRICES

import nbtokens

if TYPE_CHECKING:
    from conftest import Ledger
    from running import Shell

    from nbtokens.demo.endpoint import Endpoint

ASK = (
    "import openai\nclient = openai.OpenAI(max_retries=0)\n"
    "def ask(text='hi'):\n"
    "    client.chat.completions.create(model='gpt-5', messages=[{'role': 'user', 'content': text}])"
)
CELLS = ("%load_ext nbtokens", "%tokens live", "%tokens footer", ASK, "ask(); ask('two words')", "%tokens cells")
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def notebook(simulated: Endpoint, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> nbformat.NotebookNode:
    """A notebook to run, whose kernel's clients ask the simulated model."""
    ledger.folder.with_name("nbtokens.toml").write_text(PRICES)
    for name, value in {**simulated.environment(), "PYTHONPATH": str(Path(nbtokens.__file__).parents[1])}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("IPYTHONDIR", str(ledger.folder.parent / "ipython"))
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    document.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return document


@pytest.fixture
def executed(notebook: nbformat.NotebookNode, ledger: Ledger) -> nbformat.NotebookNode:
    """The same, run by nbclient, which keeps the widgets' state."""
    NotebookClient(notebook, resources={"metadata": {"path": str(ledger.folder.parent)}}).execute()
    return notebook


def shown_calls(text: str) -> list[str]:
    """The session's calls that a page shows, in tables without their tags."""
    return re.findall(r"this session\s+([\d,]+)", re.sub(r"<[^>]+>", " ", text))


def test_nbclient(executed: nbformat.NotebookNode, ledger: Ledger) -> None:
    """The executed notebook holds the last figures twice: in the widget's state, and as plain HTML and text."""
    widget, static = executed.cells[1].outputs
    assert shown_calls(static.data["text/html"]) == ["2"]
    assert re.search(r"this session +2 ", static.data["text/plain"])
    states = executed.metadata.widgets["application/vnd.jupyter.widget-state+json"].state
    assert shown_calls(states[widget.data[WIDGET]["model_id"]].state["value"]) == ["2"]
    assert executed.cells[4].outputs[0].data["text/plain"].startswith("2 calls · 3 in · ")
    assert "ask(); ask('two words')" in executed.cells[5].outputs[0].data["text/plain"]
    assert len(ledger.rows()) == 2
    assert len(executed.cells) == len(CELLS)
    assert not [output for cell in executed.cells for output in cell.outputs if output.output_type == "stream"]


@pytest.mark.parametrize("state", ["with", "without"])
def test_nbconvert_to_html(state: str, executed: nbformat.NotebookNode) -> None:
    """The page shows the last figures as plain HTML, with the widget's state in the notebook and without it."""
    if state == "without":
        del executed.metadata["widgets"]
    page, _ = HTMLExporter().from_notebook_node(executed)
    body = page.partition("</head>")[2]
    in_widget = re.findall(r"<script type=\"application/vnd.jupyter.widget.*?</script>", body, flags=re.DOTALL)
    assert len(in_widget) == (2 if state == "with" else 0)
    plain = re.sub(r"<script.*?</script>", "", body, flags=re.DOTALL)
    assert shown_calls(plain) == ["2"]
    assert 'class="nbtokens-static"' in plain
    assert "display: none" not in plain
    assert "<polyline" in plain


def test_nbconvert_to_markdown(executed: nbformat.NotebookNode) -> None:
    """Where nothing but text and HTML goes, the figures stand there."""
    text, _ = MarkdownExporter().from_notebook_node(executed)
    assert shown_calls(text) == ["2"]


def test_papermill(notebook: nbformat.NotebookNode, ledger: Ledger) -> None:
    """Papermill runs the notebook as ever; the calls are recorded with their cell's number, and the cells are found."""
    project = ledger.folder.parent
    nbformat.write(notebook, project / "in.ipynb")
    executed: Any = papermill.execute_notebook(
        project / "in.ipynb", project / "out.ipynb", cwd=project, progress_bar=False
    )
    assert shown_calls(executed.cells[1].outputs[1].data["text/html"]) == ["2"]
    assert "ask(); ask('two words')" in executed.cells[5].outputs[0].data["text/plain"]
    assert {(row["execution_count"], row["attribution"]) for row in ledger.rows()} == {(5, "exact")}


def test_a_terminal(simulated: Endpoint, tmp_path: Path) -> None:
    """A terminal's IPython shows everything as text, and no markup; it ends without a word of ours."""
    (tmp_path / "project" / ".metrics").mkdir(parents=True)
    (tmp_path / "project" / "nbtokens.toml").write_text(PRICES)
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=nocolor", "--simple-prompt"],
        input="\n".join(
            ["%load_ext nbtokens", *ASK.splitlines(), "", "%tokens footer", "ask()", "%tokens live", "%tokens cells"]
        ),
        cwd=tmp_path / "project",
        env={
            **os.environ,
            **simulated.environment(),
            "PYTHONPATH": str(Path(nbtokens.__file__).parents[1]),
            "IPYTHONDIR": str(tmp_path / "ipython"),
            "TERM": "dumb",
        },
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 call · 1 in · " in done.stdout
    assert "LLM usage, live" in done.stdout
    assert shown_calls(done.stdout) == ["1"]
    assert "LLM usage by cell, this session" in done.stdout
    assert not re.search(r"<div|<table|HTML\(", done.stdout)
    assert "Traceback" not in done.stdout + done.stderr


def test_vs_code(shell: Shell, ledger: Ledger) -> None:
    """VS Code names the notebook in a variable of the user's, and gives each cell an id in the request's metadata."""
    path = ledger.folder.parent / "deep" / "a.ipynb"
    shell.shell.user_ns["__vsc_ipynb_file__"] = str(path)
    cell = "vscode-notebook-cell:/project/deep/a.ipynb#W2sZmlsZQ=="
    shell.shell.get_parent = lambda: {"metadata": {"cellId": cell}}  # type: ignore[method-assign]
    try:
        shell("ask()")
        shell("ask('two words')")
        report = shell("%tokens cells").value
    finally:
        del shell.shell.get_parent
    assert {(row["notebook"], row["cell"]) for row in ledger.rows()} == {("deep/a.ipynb", cell)}
    assert report.title == "LLM usage by cell, a.ipynb"


def test_what_vs_code_shows(shell: Shell) -> None:
    """VS Code shows a bundle's HTML in its own colours: reports name no colour of text or background."""
    shell("%tokens footer")
    [footer] = shell("ask();").displays
    for html in (shell("%tokens").value._repr_html_(), footer["text/html"]):
        assert not re.search(r"(?<!-)\bcolor:|background:(?! none)", html)
