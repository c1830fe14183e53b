"""A notebook that was run and saved, where no network and no kernel is: what a browser shows of its exports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from jupyters import ROOT
from nbclient import NotebookClient
from nbconvert.exporters import HTMLExporter
from pages import STATIC, expecting, figures

if TYPE_CHECKING:
    from pathlib import Path

    from ledgers import Ledger
    from playwright.sync_api import Browser

    from nbtokens.demo.endpoint import Endpoint

pytestmark = pytest.mark.browser

ASKS = (
    "import openai\nfor text in ('hi', 'two words'):\n    openai.OpenAI().chat.completions.create("
    "model='gpt-5', messages=[{'role': 'user', 'content': text}])"
)
CELLS = ("%load_ext nbtokens", "%tokens live", "%tokens footer", ASKS)


@pytest.fixture
def executed(simulated: Endpoint, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> nbformat.NotebookNode:
    """A notebook that nbclient has run, which keeps the widgets' state."""
    project = ledger.folder.parent
    for name, value in {**simulated.environment(), "PYTHONPATH": str(ROOT)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("IPYTHONDIR", str(project / "ipython"))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(project)}}).execute()
    return notebook


def test_offline(executed: nbformat.NotebookNode, tmp_path: Path, browser: Browser, artefacts: Path) -> None:
    """Nbconvert's page shows panel and footer without a network, with the widget's state in it and without, once."""
    expect = expecting()
    context = browser.new_context(offline=True, viewport={"width": 900, "height": 700})
    for state in ("with", "without"):
        if state == "without":
            del executed.metadata["widgets"]
        path = tmp_path / f"{state}.html"
        path.write_text(HTMLExporter().from_notebook_node(executed)[0], encoding="utf-8")
        page = context.new_page()
        page.goto(path.as_uri(), wait_until="domcontentloaded")
        expect(page.locator(".nbtokens-live:visible")).to_have_count(1)
        assert figures(page.locator(STATIC), "this session")[0] == "2"
        expect(page.locator(".nbtokens-footer")).to_be_visible()
        page.screenshot(path=artefacts / f"exported_{state}.png")
    context.close()
