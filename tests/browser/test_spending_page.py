"""The page of what a team spends, in headless Chromium: its figures, by itself, live, light and dark."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest
from jupyter_process import wait_for_server
from ledgers import ROOT
from server.conftest import ADAS, TOKEN, served

import nbtokens
from nbtokens.amounts import usd
from nbtokens.config import load_config
from nbtokens.server import alone
from nbtokens.server.answers import answers_of
from nbtokens.server.handling import Caller

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledgers import Ledger
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

HOSTILE: Final = "<img src=x onerror=document.title='taken'>.ipynb"


@pytest.fixture
def page_url(ledger: Ledger) -> Iterator[str]:
    """A page over a history of 20 days, two people and three models."""
    now = datetime.now(UTC)
    for n in range(40):
        nbtokens.record(
            model=("gpt-5-mini", "claude-sonnet-4-5", "nobody-sells-this")[n % 3],
            input_tokens=1000 + 37 * n,
            output_tokens=200 + n,
            started_at=now - timedelta(days=n // 2, seconds=60),
            cost_usd=None if n % 3 == 2 else f"0.{n + 10}",
            duration_s=1.5,
            user=("ada", "bob")[n % 2],
            operation=("summarise", "answer", None)[n % 3],
            notebook=("analysis.ipynb", HOSTILE)[n % 2],
            cell=f"cell-{n % 5}",
            status="error" if n == 1 else "ok",
        )
    callers = {TOKEN: Caller(None, sees_all=True), ADAS: Caller("ada", sees_all=False)}
    with served(alone.application(answers_of(load_config()), callers)) as port:
        yield f"http://127.0.0.1:{port}/nbtokens/"


def opened(browser: Browser, url: str, token: str = TOKEN, theme: str = "light") -> Page:
    """The page as the printed URL opens it, with its figures there."""
    page = browser.new_page(
        color_scheme="dark" if theme == "dark" else "light", viewport={"width": 1200, "height": 1500}
    )
    page.goto(f"{url}?token={token}")
    page.wait_for_selector("#latest tbody tr")
    return page


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_figures(theme: str, page_url: str, browser: Browser, artefacts: Path) -> None:
    """Everything comes from this server, without an error; names are text, and the token leaves the URL."""
    asked, errors = [], []
    page = browser.new_page(
        color_scheme="dark" if theme == "dark" else "light", viewport={"width": 1200, "height": 1500}
    )
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{page_url}?token={TOKEN}")
    page.wait_for_selector("#latest tbody tr")
    assert page.url == page_url
    assert all(url.startswith((page_url, "data:")) for url in asked)
    assert errors == []
    sums = nbtokens.history().sums
    assert page.locator(".tile").first.inner_text().split() == [usd(sums.cost_usd), "cost"]
    assert "13 unpriced" in page.locator("#models").inner_text().replace("\n", " ")
    assert page.locator("svg rect").count() == 20
    names = page.locator("#notebooks .name").all_inner_texts()
    assert sorted(names) == sorted(["analysis.ipynb", HOSTILE])
    assert page.title() == "LLM spending - nbtokens"
    assert page.locator("#latest tbody tr").count() == 10
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(20, 23, 28)" if theme == "dark" else "rgb(246, 247, 249)")
    page.screenshot(path=artefacts / f"spending-{theme}.png", full_page=True)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_budgets(theme: str, page_url: str, browser: Browser, artefacts: Path) -> None:
    """Limits of money and tokens are bars: below, near and beyond; without any there is no such part."""
    page = opened(browser, page_url, theme=theme)
    assert not page.locator("#budgets").is_visible()
    with nbtokens.budget(1000, per="day"), nbtokens.budget("0.01", per="month"), nbtokens.budget(tokens=90_000):
        page.wait_for_selector("#budgets .row >> nth=2")
        rows = page.locator("#budgets .row")
        texts = [text.replace("\n", " ") for text in rows.all_inner_texts()]
        assert any("% of $1,000.00 per day" in text for text in texts)
        assert any("86 % of 90,000 tokens per session" in text for text in texts)
        kinds = {row.locator(".track").get_attribute("class") for row in rows.all()}
        assert kinds == {"track", "track near", "track over"}
        page.screenshot(path=artefacts / f"spending-budgets-{theme}.png", full_page=True)
        narrow = browser.new_page(viewport={"width": 400, "height": 900})
        narrow.goto(f"{page_url}?token={TOKEN}")
        narrow.wait_for_selector("#budgets .row")
        assert narrow.evaluate("document.documentElement.scrollWidth") <= 400
    page.wait_for_selector("#budgets", state="hidden")


def test_live(page_url: str, browser: Browser) -> None:
    """A call that is made while the page is open appears in it, and counts."""
    page = opened(browser, page_url)
    nbtokens.record(model="just-now", input_tokens=1, cost_usd="1000", user="eve")
    page.wait_for_selector("#latest tbody tr:first-child >> text=just-now")
    assert page.locator("#users .name").first.inner_text() == "eve"


def test_another_period(page_url: str, browser: Browser) -> None:
    """One day has fewer calls than thirty."""
    page = opened(browser, page_url)
    page.select_option("#days", "7")
    page.locator("svg rect").nth(7).wait_for(state="detached")
    assert page.locator("svg rect").count() == 7


def test_ones_own_page(page_url: str, browser: Browser) -> None:
    """Who sees their own calls only has a page of these."""
    page = opened(browser, page_url, ADAS)
    assert page.locator("#users .name").all_inner_texts() == ["ada"]


def test_the_server_goes_away(ledger: Ledger, browser: Browser) -> None:
    """The page keeps its figures, and says that they are not up to date."""
    nbtokens.record(model="m", input_tokens=1)
    with served(alone.application(answers_of(load_config()), {TOKEN: Caller(None, sees_all=True)})) as port:
        page = opened(browser, f"http://127.0.0.1:{port}/nbtokens/")
    page.wait_for_selector("#state.bad")
    assert page.locator("#latest tbody tr").count() == 1


def test_no_token(page_url: str, browser: Browser) -> None:
    """Without the token there is a sentence that says how to come in, and no figure."""
    page = browser.new_page()
    answer = page.goto(page_url)
    assert answer is not None
    assert answer.status == 401
    assert "nbtokens serve" in page.inner_text("body")


@pytest.fixture
def lab_url(ledger: Ledger, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Where a JupyterLab serves the test's project with the extension enabled as installing does, and its token."""
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed")
    enabled = tmp_path / "config" / "jupyter_server_config.d"
    enabled.mkdir(parents=True)
    (enabled / "nbtokens.json").write_bytes((ROOT / "nbtokens" / "server" / "enable.json").read_bytes())
    places = {f"JUPYTER_{name}_DIR": str(tmp_path / name.lower()) for name in ("CONFIG", "RUNTIME", "DATA")}
    output = tmp_path / "output.txt"
    with output.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser", "--ServerApp.port=0"],
            env={**os.environ, **places, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        server = wait_for_server(tmp_path / "runtime", process, output)
        yield server["url"], server["token"]
    finally:
        process.terminate()
        process.wait()


def test_in_jupyterlab(lab_url: tuple[str, str], browser: Browser, artefacts: Path) -> None:
    """Behind JupyterLab's own login the page is the same, and live: who has not logged in sees the login instead."""
    url, token = lab_url
    nbtokens.record(model="in-lab", input_tokens=10, cost_usd="0.5", notebook="a.ipynb", cell="c")
    stranger = browser.new_context().new_page()
    stranger.goto(f"{url}nbtokens/")
    assert "/login" in stranger.url
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(f"{url}lab?token={token}")
    page.goto(f"{url}nbtokens/")
    page.wait_for_selector("#latest tbody tr >> text=in-lab")
    assert page.locator(".tile").first.inner_text().split() == ["$0.5000", "cost"]
    nbtokens.record(model="a-moment-later", input_tokens=10, cost_usd="0.5")
    page.wait_for_selector("#latest tbody tr >> text=a-moment-later")
    assert page.locator("#state").inner_text() == "up to date"
    assert [one for one in errors if "/nbtokens/" in one] == []
    page.screenshot(path=artefacts / "spending-in-lab.png", full_page=True)
