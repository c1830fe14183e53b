"""The tour in a real JupyterLab, as a person sees it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import RunningLab
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


def wait_for_kernel(page: Page, lab: RunningLab) -> None:
    """Wait until the notebook's kernel runs and the page is connected to it."""
    while True:
        sessions = page.request.get(f"{lab.url}api/sessions?token={lab.token}").json()
        if [one for one in sessions if one["kernel"]["execution_state"] == "idle" and one["kernel"]["connections"]]:
            return
        page.wait_for_timeout(200)


def run_all_cells(page: Page) -> None:
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def test_quickstart_in_lab(lab: RunningLab, browser: Browser, artefacts: Path) -> None:
    """Run All Cells runs the tour through, and the live panel at its top shows what the history holds."""
    from playwright.sync_api import expect  # noqa: PLC0415  # only where the fixture found it

    page = browser.new_page(viewport={"width": 1280, "height": 1600})
    page.set_default_timeout(60_000)
    page.goto(f"{lab.url}lab/tree/quickstart.lab.ipynb?token={lab.token}")
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    wait_for_kernel(page, lab)
    run_all_cells(page)
    expect(page.locator(".jp-InputPrompt", has_text="[12]:")).to_be_attached(timeout=90_000)

    history = json.loads((lab.project / ".metrics" / "usage_history.json").read_text())
    rows: list[dict[str, Any]] = [row for row in history if row["kind"] == "call"]
    assert len(rows) == 12
    panel = page.locator(".jp-CodeCell", has_text="%tokens live").locator(".jp-OutputArea-output").first
    cells = panel.locator("tr", has_text="all time").locator("td")
    expect(cells.nth(1)).to_have_text(f"{len(rows):,}")
    expect(cells.nth(3)).to_have_text(f"{sum(row['input_tokens'] for row in rows):,}")
    expect(cells.nth(5)).to_have_text(f"{sum(row['output_tokens'] for row in rows):,}")
    panel.scroll_into_view_if_needed()
    page.screenshot(path=artefacts / "quickstart_in_lab.png")
    expect(page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']")).to_have_count(0)
