"""What a person sees in JupyterLab 4 and Notebook 7: panel, footer, figures of a cell, errors, and the status item."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from pages import (
    ITEM,
    LAB,
    NOTEBOOK_7,
    STATIC,
    WIDGET,
    change_theme,
    expecting,
    figures,
    in_notebook,
    open_notebook,
    run_all,
)

from nbtokens.amounts import usd

if TYPE_CHECKING:
    from pathlib import Path

    from jupyters import Jupyter
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

SETUP = """%load_ext nbtokens
import pathlib, threading, time
import openai
client = openai.OpenAI(max_retries=0)
def ask(text="hi", model="gpt-5", **options):
    client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **options)"""

STOPS = """%%tokens --budget 0.30
for n in range(9):
    ask(f"question {n}", model="simulated-model", max_tokens=60)"""

CELLS = {
    "setup": SETUP,
    "live": "%tokens live",
    "footer": "%tokens footer",
    "asks": "ask(); ask('two words')",
    "measured": "%%tokens\nask('x')\n40 + 2",
    "fails": "ask('y')\n1 / 0",
}


@pytest.fixture
def page(browser: Browser) -> Page:
    return browser.new_page(viewport={"width": 1280, "height": 1200})


def cost(rows: list[dict[str, Any]]) -> str:
    """What rows of the ledger cost, added up anew."""
    return usd(sum((Decimal(str(row["cost_usd"])) for row in rows), Decimal(0)))


@pytest.mark.parametrize(("where", "name"), [(LAB, "in_lab"), (NOTEBOOK_7, "in_notebook_7")])
def test_what_a_person_sees(where: str, name: str, jupyter: Jupyter, page: Page, artefacts: Path) -> None:
    """Panel, footer, measured cell, error and status item hold the history's figures; light and dark."""
    expect = expecting()
    jupyter.write(f"{name}.ipynb", CELLS)
    open_notebook(page, jupyter, f"{name}.ipynb", where)
    expect(page.locator(ITEM)).to_be_hidden()
    run_all(page, f"{name}.ipynb")
    expect(page.get_by_text("ZeroDivisionError", exact=False).first).to_be_visible()
    footers = page.locator(".nbtokens-footer")
    expect(footers).to_have_count(2)

    mine, every = jupyter.rows(f"{name}.ipynb"), jupyter.rows()
    assert len(mine) == 4
    panel = page.locator(WIDGET)
    expect(panel.locator("tr", has_text="this session").locator("td").nth(1)).to_have_text("4")
    assert figures(panel, "this session")[5] == cost(mine)
    assert figures(panel, "all time")[5] == cost(every)
    expect(page.locator(STATIC)).to_be_hidden()
    assert footers.all_text_contents()[0].startswith(
        f"2 calls · 3 in · {sum(r['output_tokens'] for r in mine[:2])} out"
    )
    assert footers.all_text_contents()[1].startswith("1 call · 1 in · ")
    expect(page.get_by_text("LLM usage of this cell")).to_be_visible()
    expect(page.get_by_text("42", exact=True).first).to_be_visible()
    expect(page.locator(ITEM)).to_have_text(f"LLM {cost(mine)} · {cost(every)} in all")
    expect(page.locator(ITEM)).to_have_attribute("title", re.compile(r"This session: 4 calls, "))
    page.screenshot(path=artefacts / f"{name}_light.png")
    change_theme(page, "JupyterLab Dark")
    page.screenshot(path=artefacts / f"{name}_dark.png")
    change_theme(page, "JupyterLab Light")


def test_a_call_that_a_budget_stops(jupyter: Jupyter, page: Page, artefacts: Path) -> None:
    """The error says in one line what was spent, what the call would have cost and how to raise the limit."""
    expect = expecting()
    cells = {"setup": SETUP, "live": "%tokens live", "stops": STOPS}
    jupyter.write("stops.ipynb", cells)
    open_notebook(page, jupyter, "stops.ipynb")
    run_all(page, "stops.ipynb")
    expect(page.get_by_text("LLM usage of this cell")).to_be_visible()
    error = page.locator("[data-mime-type='application/vnd.jupyter.stderr']")
    expect(error).to_contain_text("BudgetExceeded: This call was not sent: this run of the cell has used $")
    expect(error).to_contain_text("Raise the limit")
    expect(error).not_to_contain_text("site-packages")
    for theme in ("Light", "Dark"):
        change_theme(page, f"JupyterLab {theme}")
        page.screenshot(path=artefacts / f"stopped_{theme.lower()}.png")
    change_theme(page, "JupyterLab Light")


def test_the_panel_while_a_cell_runs(jupyter: Jupyter, page: Page) -> None:
    """The panel and the status item show a running cell's calls, and a thread's after it; no cell gets their output."""
    expect = expecting()
    go = jupyter.project / "go"
    long = f"ask()\nwhile not pathlib.Path({str(go)!r}).exists():\n    time.sleep(0.05)\nask()"
    thread = "threading.Timer(1, lambda: [ask(str(n)) for n in range(3)]).start()"
    cells = {"setup": SETUP, "live": "%tokens live", "long": long, "thread": thread, "last": "1 + 1"}
    jupyter.write("runs.ipynb", cells)
    open_notebook(page, jupyter, "runs.ipynb")
    run_all(page, "runs.ipynb")
    calls = page.locator(WIDGET).locator("tr", has_text="this session").locator("td").nth(1)
    expect(calls).to_have_text("1")
    expect(page.locator(ITEM)).to_be_visible()
    expect(page.locator(".jp-InputPrompt", has_text="[*]:").first).to_be_visible()
    go.touch()
    expect(calls).to_have_text("5")
    in_notebook(page, "runs.ipynb")
    expect(page.locator(".jp-OutputArea-output")).to_have_count(3)


def test_click_reload_restart(jupyter: Jupyter, page: Page) -> None:
    """A click runs `%tokens live` in a cell; the item survives a reload of the page, and a restart of the kernel."""
    expect = expecting()
    jupyter.write("clicks.ipynb", {"setup": SETUP, "asks": "ask()"})
    open_notebook(page, jupyter, "clicks.ipynb")
    run_all(page, "clicks.ipynb")
    item = page.locator(ITEM)
    expect(item).to_be_visible()
    for _ in range(2):
        item.click()
        expect(page.locator(WIDGET)).to_have_count(1)
    expect(page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(3)
    shown = item.text_content()
    assert shown is not None

    in_notebook(page, "clicks.ipynb", "docmanager:save")
    page.reload()
    in_notebook(page, "clicks.ipynb")
    expect(item).to_have_text(shown)

    page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    expect(item).to_be_hidden()
    run_all(page, "clicks.ipynb")
    expect(item).to_have_attribute("title", re.compile("This session: 1 call, "))
    mine = jupyter.rows("clicks.ipynb")
    assert len(mine) == 2
    expect(item).to_have_text(f"LLM {cost(mine[1:])} · {cost(jupyter.rows())} in all")


def test_two_notebooks(jupyter: Jupyter, page: Page) -> None:
    """The item follows the active notebook, and is hidden for one that has not loaded nbtokens."""
    expect = expecting()
    jupyter.write("first.ipynb", {"setup": SETUP, "asks": "ask(); ask()"})
    jupyter.write("second.ipynb", {"one": "1 + 1"})
    open_notebook(page, jupyter, "first.ipynb")
    run_all(page, "first.ipynb")
    item = page.locator(ITEM)
    expect(item).to_have_attribute("title", re.compile("This session: 2 calls, "))
    page.evaluate("window.jupyterapp.commands.execute('docmanager:open', {path: 'second.ipynb'})")
    in_notebook(page, "second.ipynb")
    expect(item).to_be_hidden()
    page.evaluate("window.jupyterapp.commands.execute('docmanager:open', {path: 'first.ipynb'})")
    in_notebook(page, "first.ipynb")
    expect(item).to_be_visible()


def test_reopened_without_a_kernel(jupyter: Jupyter, page: Page) -> None:
    """A saved notebook that nobody has run shows the last figures, though its widget is gone."""
    expect = expecting()
    jupyter.write("saved.ipynb", {"setup": SETUP, "live": "%tokens live", "asks": "ask('saved')"})
    open_notebook(page, jupyter, "saved.ipynb")
    run_all(page, "saved.ipynb")
    calls = page.locator(WIDGET).locator("tr", has_text="this session").locator("td").nth(1)
    expect(calls).to_have_text("1")
    in_notebook(page, "saved.ipynb", "docmanager:save")
    page.evaluate("window.jupyterapp.serviceManager.sessions.shutdownAll()")
    page.reload()
    static = page.locator(STATIC)
    expect(static).to_be_visible()
    assert figures(static, "this session")[0] == "1"
