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
from pages import expecting
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


def opened(browser: Browser, url: str, token: str = TOKEN, theme: str = "light", width: int = 1200) -> Page:
    """The page as the printed URL opens it, with its figures there."""
    page = browser.new_page(
        color_scheme="dark" if theme == "dark" else "light", viewport={"width": width, "height": 1500}
    )
    page.set_default_timeout(60_000)
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
    assert page.locator(".tile").first.inner_text().split() == ["Cost", usd(sums.cost_usd)]
    assert "13 calls · 25,480 tokens" in page.locator("#models .row", has_text="nobody-sells-this").inner_text()
    assert page.locator("#models .row", has_text="nobody-sells-this").locator(".value").inner_text() == "unpriced"
    assert page.locator("svg .bar:has(.piece)").count() == 20
    names = page.locator("#notebooks .name").all_inner_texts()
    assert sorted(names) == sorted(["analysis.ipynb", HOSTILE])
    assert page.title() == "LLM spending - nbtokens"
    assert page.locator("#latest tbody tr").count() == 10
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(18, 21, 26)" if theme == "dark" else "rgb(245, 246, 249)")
    page.screenshot(path=artefacts / f"spending-{theme}.png", full_page=True)


# Of each text on the page that is less than 4.5 : 1 against what is behind it: the ratio, and the text.
_FAINT: Final = """() => {
  const parse = color => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(one => one / 255)
    .map(one => one <= .04045 ? one / 12.92 : ((one + .055) / 1.055) ** 2.4)
    .reduce((sum, one, n) => sum + one * [.2126, .7152, .0722][n], 0);
  const behind = element => {
    for (; element; element = element.parentElement) {
      const color = parse(getComputedStyle(element).backgroundColor);
      if (color[3] !== 0) return color;
    }
  };
  const texts = [...document.querySelectorAll("body *")].filter(element => element.checkVisibility() &&
    [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim()));
  return texts.map(element => {
    const style = getComputedStyle(element);
    const one = light(parse(element.tagName === "text" ? style.fill : style.color)), other = light(behind(element));
    return [(Math.max(one, other) + .05) / (Math.min(one, other) + .05), element.textContent];
  }).filter(([ratio]) => !(ratio >= 4.5));
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_budgets(theme: str, page_url: str, browser: Browser, artefacts: Path) -> None:
    """Limits of money and tokens are bars: below, near and beyond, in words too; without any there is no such part."""
    page = opened(browser, page_url, theme=theme)
    assert not page.locator("#budgets").is_visible()
    with nbtokens.budget(1000, per="day"), nbtokens.budget("0.01", per="month"), nbtokens.budget(tokens=90_000):
        page.wait_for_selector("#budgets .row >> nth=2")
        rows = page.locator("#budgets .row")
        texts = [text.replace("\n", " ") for text in rows.all_inner_texts()]
        assert any("% of $1,000.00 per day" in text for text in texts)
        assert any("86 % of 90,000 tokens per session, nearly used up" in text for text in texts)
        assert any("per month, used up" in text for text in texts)
        kinds = {row.locator(".track").get_attribute("class") for row in rows.all()}
        assert kinds == {"track", "track near", "track over"}
        page.locator("summary").click()
        assert page.evaluate(_FAINT) == []
        page.screenshot(path=artefacts / f"spending-budgets-{theme}.png", full_page=True)
        narrow = opened(browser, page_url, theme=theme, width=360)
        narrow.wait_for_selector("#budgets .row")
        assert narrow.evaluate("document.documentElement.scrollWidth") <= 360
        narrow.screenshot(path=artefacts / f"spending-narrow-{theme}.png", full_page=True)
    page.wait_for_selector("#budgets", state="hidden")


def test_live(page_url: str, browser: Browser) -> None:
    """A call that is made while the page is open appears in it, and counts; it stands out, unless motion disturbs."""
    page = opened(browser, page_url)
    page.emulate_media(reduced_motion="reduce")
    nbtokens.record(model="just-now", input_tokens=1, cost_usd="1000", user="eve")
    page.wait_for_selector("#latest tbody tr:first-child >> text=just-now")
    assert page.locator("#users .name").first.inner_text() == "eve"
    assert page.locator("#latest tr.new").count() == 1
    assert page.evaluate("getComputedStyle(document.querySelector('tr.new')).animationName") == "none"
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate("getComputedStyle(document.querySelector('tr.new')).animationName") == "come"


def test_periods_and_measures(page_url: str, browser: Browser) -> None:
    """By keyboard: another period, tokens in place of money; the address keeps both. Many days are put into weeks."""
    page = opened(browser, page_url)
    page.locator("#days input:checked").focus()
    page.keyboard.press("ArrowLeft")
    expecting()(page.locator("svg .bar")).to_have_count(7)
    page.locator("#measure input:checked").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#users .value").first.inner_text().replace(",", "").isdecimal()
    assert page.url == f"{page_url}#days=7&by=tokens"
    page.reload()
    page.wait_for_selector("#latest tbody tr")
    assert page.locator("svg .bar").count() == 7
    assert page.locator("#measure input:checked").input_value() == "tokens"
    page.get_by_text("Year").click()
    expecting()(page.locator("svg .bar")).to_have_count(53)
    assert page.locator("#by-day h2").inner_text() == "By week UTC"
    page.locator("svg .bar").last.hover()
    sums = nbtokens.history().sums
    tip = page.locator(".tip").inner_text().split("\n")
    assert 0 < int(tip[1].replace(",", "")) < sums.total_tokens
    page.locator("summary").focus()
    page.keyboard.press("Enter")
    days = page.locator("#days-table tbody tr")
    assert sum(int(text) for text in days.locator("td:nth-child(2)").all_inner_texts()) == sums.calls


def test_many_names(page_url: str, browser: Browser) -> None:
    """A long list shows its beginning; the rest comes at the press of a key, and stays while the page is refreshed."""
    for n in range(50):
        nbtokens.record(model="m", input_tokens=1, cost_usd=f"0.{n:03}", user=f"{'very-' * 40}{n:02}", cell="c")
    page = opened(browser, page_url)
    assert page.locator("#users .row").count() == 6
    page.locator("#users button").focus()
    page.keyboard.press("Enter")
    assert page.locator("#users .row").count() == 50
    assert page.evaluate("document.activeElement.textContent") == "Show fewer"
    nbtokens.record(model="just-now", input_tokens=1, user="ada")
    page.wait_for_selector("#latest tbody tr:first-child >> text=just-now")
    assert page.locator("#users .row").count() == 50
    assert page.evaluate("document.documentElement.scrollWidth") <= 1200


def test_ones_own_page(page_url: str, browser: Browser) -> None:
    """Who sees their own calls only has a page of these."""
    page = opened(browser, page_url, ADAS)
    assert page.locator("#users .name").all_inner_texts() == ["ada"]


def test_little_to_show(ledger: Ledger, browser: Browser) -> None:
    """Without a call the page says how one comes in; without a price it shows tokens, unless money is chosen."""
    with served(alone.application(answers_of(load_config()), {TOKEN: Caller(None, sees_all=True)})) as port:
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}/nbtokens/?token={TOKEN}")
        page.get_by_text("%load_ext nbtokens").wait_for()
        assert not page.locator("svg").is_visible()
        assert page.locator(".tile b").all_inner_texts() == ["$0.00", "0", "0", "0"]
        nbtokens.record(model="nobody-sells-this", input_tokens=7, output_tokens=1)
        page.locator("#models .row").wait_for()
        assert page.locator(".tile b").all_inner_texts() == ["unpriced", "1", "7", "1", "1"]
        assert page.locator("#models .value").inner_text() == "8"
        page.locator("#measure").get_by_text("Cost").click()
        assert page.locator("#models .value").inner_text() == "unpriced"


def test_the_server_goes_away(ledger: Ledger, browser: Browser) -> None:
    """The page keeps its figures and says since when they are old, and why; when all is well again it is live again."""
    nbtokens.record(model="m", input_tokens=1)
    callers = {TOKEN: Caller(None, sees_all=True)}
    with served(alone.application(answers_of(load_config()), callers)) as port:
        page = opened(browser, f"http://127.0.0.1:{port}/nbtokens/")
        assert page.locator("#state").inner_text() == "live"
        page.context.set_offline(offline=True)
        page.get_by_text("The server does not answer.").wait_for()
        page.context.set_offline(offline=False)
        page.locator("#notice").wait_for(state="hidden")
        callers[ADAS] = callers.pop(TOKEN)
        page.get_by_text("each start prints another one. In JupyterLab").wait_for()
        assert page.locator("#state").inner_text() == "no access"
        assert page.locator("#latest tbody tr").count() == 1
        callers[TOKEN] = callers[ADAS]
        page.locator("#notice").wait_for(state="hidden")
    page.get_by_text("The server does not answer.").wait_for()


def test_no_token(page_url: str, browser: Browser) -> None:
    """Without the token there is a sentence that says how to come in, and no figure."""
    page = browser.new_page()
    answer = page.goto(page_url)
    assert answer is not None
    assert answer.status == 401
    page.get_by_text("Open the URL that nbtokens serve has printed").wait_for()
    assert not page.locator("main").is_visible()


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
    assert page.locator(".tile").first.inner_text().split() == ["Cost", "$0.5000"]
    nbtokens.record(model="a-moment-later", input_tokens=10, cost_usd="0.5")
    page.wait_for_selector("#latest tbody tr >> text=a-moment-later")
    assert page.locator("#state").inner_text() == "live"
    assert [one for one in errors if "/nbtokens/" in one] == []
    page.screenshot(path=artefacts / "spending-in-lab.png", full_page=True)
