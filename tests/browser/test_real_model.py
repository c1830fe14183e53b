"""The example notebooks in JupyterLab 4 and Notebook 7, against the real model of this machine, light and dark."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from jupyters import ROOT
from pages import ITEM, LAB, NOTEBOOK_7, WIDGET, change_theme, expecting, figures, in_notebook, open_notebook, run_all

from nbtokens.amounts import count, usd

if TYPE_CHECKING:
    from pathlib import Path

    from jupyters import Jupyter
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.local_model]

EXAMPLES = {"quickstart": LAB, "async_and_threads": NOTEBOOK_7}
if os.environ.get("NBTOKENS_TEST_EVERY_EXAMPLE"):  # the model takes four minutes for all
    EXAMPLES |= {
        "batch_dataframe": NOTEBOOK_7,
        "comparing_models": LAB,
        "rag_embeddings": LAB,
        "finding_waste": NOTEBOOK_7,
    }


@pytest.fixture
def page(browser: Browser) -> Page:
    return browser.new_page(viewport={"width": 1280, "height": 2400})


def total(rows: list[dict[str, Any]], field: str) -> Decimal:
    return sum((Decimal(str(row.get(field, 0))) for row in rows), Decimal(0))


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_in_the_browser(name: str, real_jupyter: Jupyter, page: Page, artefacts: Path) -> None:
    """Run All runs it to its end, no cell fails, and status item and figures are those of the history."""
    expect = expecting()
    document = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text())
    for cell in document["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    notebook = real_jupyter.project / f"{name}.ipynb"
    notebook.write_text(json.dumps(document))
    code = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
    open_notebook(page, real_jupyter, notebook.name, EXAMPLES[name])
    run_all(page, notebook.name)
    expect(page.locator(".jp-InputPrompt", has_text=f"[{len(code)}]:")).to_be_attached(timeout=240_000)
    in_notebook(page, notebook.name)

    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    assert page.locator("mjx-container").count() == 0  # two amounts in dollars are no formula
    mine, every = real_jupyter.rows(notebook.name), real_jupyter.rows()
    assert {row["model"] for row in mine} == {"gemma-3-270m"}
    expect(page.locator(ITEM)).to_have_text(
        f"LLM {usd(total(mine, 'cost_usd'))} · {usd(total(every, 'cost_usd'))} in all"
    )
    if page.locator(WIDGET).count():
        calls, _, read, _, written, cost, _ = figures(page.locator(WIDGET), "this session")
        assert [calls, read, written, cost] == [
            count(len(mine)),
            count(float(total(mine, "input_tokens"))),
            count(float(total(mine, "output_tokens"))),
            usd(total(mine, "cost_usd")),
        ]
    for theme in ("Light", "Dark"):
        change_theme(page, f"JupyterLab {theme}")
        page.screenshot(path=artefacts / f"{name}_{theme.lower()}.png")
    change_theme(page, "JupyterLab Light")
