"""Notebooks in the browser, as a person opens, runs and looks at them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyters import Jupyter
    from playwright.sync_api import Locator, Page

LAB = "lab/tree/"
NOTEBOOK_7 = "notebooks/"
ITEM = "#nbtokens-cost"
WIDGET = ".widget-html .nbtokens-live"
STATIC = ".nbtokens-static"

_TRACKED = """async ([name, command]) => {
  const app = window.jupyterapp;
  for (;;) {
    const panel = app.shell.currentWidget;
    if (panel?.context?.path === name && panel.content?.widgets?.length && panel.sessionContext?.session?.kernel) {
      if (panel.sessionContext.session.kernel.status === 'idle') break;
    }
    await new Promise(done => setTimeout(done, 100));
  }
  if (command) await app.commands.execute(command);
}"""


def expecting(seconds: float = 60) -> Any:  # noqa: ANN401 - playwright's, which may be missing
    """Playwright's `expect`, which waits as long at most."""
    from playwright.sync_api import expect  # noqa: PLC0415 - only where the fixture found it

    expect.set_options(timeout=seconds * 1000)
    return expect


def open_notebook(page: Page, jupyter: Jupyter, name: str, where: str = LAB) -> None:
    """Open a notebook, and wait until it is the current one and its kernel is ready."""
    page.set_default_timeout(60_000)
    page.goto(f"{jupyter.url}{where}{name}?reset&token={jupyter.token}")  # without what other tests left open
    in_notebook(page, name)


def in_notebook(page: Page, name: str, command: str | None = None) -> None:
    """Wait until a notebook is the current one and its kernel is idle; then do what a menu entry does."""
    page.wait_for_function("window.jupyterapp?.shell?.currentWidget", timeout=120_000)
    page.evaluate(_TRACKED, [name, command])


def run_all(page: Page, name: str) -> None:
    """Begin to run all cells; returns at once."""
    in_notebook(page, name)
    page.evaluate("() => { void window.jupyterapp.commands.execute('notebook:run-all-cells') }")


def change_theme(page: Page, theme: str) -> None:
    """Light or dark; returns when the page shows it."""
    page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    page.wait_for_selector(
        f"body[data-jp-theme-light='{'false' if theme.endswith('Dark') else 'true'}']", state="attached"
    )
    page.wait_for_selector("#jupyterlab-splash", state="detached")
    page.wait_for_timeout(300)  # it fades


def figures(panel: Locator, row: str) -> list[str]:
    """The figures of a row of the panel: calls, failed, input, cached, output, cost, tok/s."""
    texts: Any = panel.locator("tr", has_text=row).first.locator("td").all_text_contents()
    return list(texts)[1:]
