"""Takes the README's picture: a notebook in JupyterLab, run against the small model of this machine.

python tests/docs/readme_picture.py

It wants what the tests want, and a Chromium. The tokens and times are the model's; its prices are made up.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright

ROOT: Final = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "browser")]

from jupyters import serving  # noqa: E402 - the path comes first
from pages import WIDGET, expecting, in_notebook, open_notebook, run_all  # noqa: E402 - the same

from nbtokens.demo import local_model  # noqa: E402 - the same

PRICES: Final = '[prices."gemma-3-270m"]\ninput_per_mtok = 1.25\noutput_per_mtok = 10.00\n'
NAME: Final = "support_tickets.ipynb"
CELLS: Final = {
    "load": "%load_ext nbtokens\n%tokens footer",
    "live": "%tokens live",
    "setup": """\
import nbtokens
from openai import OpenAI

client = OpenAI()
nbtokens.budget(0.02, per="day")
tickets = ["The kettle leaked after two days.", "Where is my order?", "The lid came broken.", "I love it!"]

def ask(question, ticket, max_tokens=40):
    message = {"role": "user", "content": f"{question} {ticket}"}
    answer = client.chat.completions.create(model="gemma-3-270m", messages=[message], max_tokens=max_tokens)
    return answer.choices[0].message.content""",
    "summaries": "summaries = [ask('Say it in one line:', ticket) for ticket in tickets]",
    "replies": "replies = [ask('Write a friendly answer:', ticket, 60) for ticket in tickets]",
    "cells": "%tokens cells",
    "flying": "from concurrent.futures import ThreadPoolExecutor\n"
    "with ThreadPoolExecutor(3) as pool:\n"
    "    list(pool.map(lambda ticket: ask('Write a long letter:', ticket, 300), tickets[:3]))",
}


def main() -> None:
    """Run the notebook twice, in two sessions, and take the picture while three calls are under way."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with (
        tempfile.TemporaryDirectory() as folder,
        local_model.serve() as model,
        serving(Path(folder), model, PRICES) as jupyter,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1080, "height": 1080}, device_scale_factor=2)
        expect = expecting(240)
        calls = page.locator(WIDGET).locator("tr", has_text="this session").locator("td").nth(1)
        jupyter.write(NAME, {name: source for name, source in CELLS.items() if name != "flying"})
        open_notebook(page, jupyter, NAME)
        run_all(page, NAME)
        expect(calls).to_have_text("8")
        in_notebook(page, NAME, "docmanager:save")
        page.evaluate("window.jupyterapp.serviceManager.sessions.shutdownAll()")
        jupyter.write(NAME, CELLS)
        open_notebook(page, jupyter, NAME)
        page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
        run_all(page, NAME)
        expect(calls).to_have_text("8")
        expect(page.locator(WIDGET)).to_contain_text("3 calls in flight")
        page.locator(".jp-Notebook .jp-WindowedPanel-outer, .jp-WindowedPanel-outer").first.evaluate(
            "one => one.scrollTop = 0"
        )
        page.wait_for_timeout(500)
        page.screenshot(path=ROOT / "docs" / "pictures" / "quickstart.png")
        browser.close()


if __name__ == "__main__":
    main()
