"""`%tokens live`: figures that keep themselves current."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

from running import wait_until

from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from conftest import Ledger
    from running import Kernel, Shell

WIDGET = "application/vnd.jupyter.widget-view+json"


def _calls(html: str) -> int:
    """How many calls of this session the panel shows."""
    found = re.search(r"this session\s+([\d,]+)", re.sub(r"<[^>]+>", " ", html))
    assert found is not None
    return int(found[1])


def test_a_terminal_shows_text(shell: Shell) -> None:
    """A terminal, which has no widgets, shows the figures as text."""
    shell("ask()")
    out = shell("%tokens live").out
    assert "LLM usage, live\n" in out
    assert re.search(r"this session +1 ", out)
    assert "HTML(" not in out
    assert "LivePanel" not in out


def test_widget_html_and_text_in_one(shell: Shell) -> None:
    """The display holds the widget, and the same figures as HTML and as text for where no widget can live."""
    shell("ask()")
    panel = shell("%tokens live").value
    bundle = panel._repr_mimebundle_()
    assert bundle[WIDGET]["model_id"] == panel.widget.model_id
    assert bundle["text/html"] == panel.widget.value
    assert _calls(bundle["text/html"]) == 1
    assert re.search(r"all time +1 ", bundle["text/plain"])


def test_keeps_itself_current(shell: Shell) -> None:
    """Calls in threads, and calls of a running cell, change what the panel shows; nobody has to ask."""
    panel = shell("%tokens live").value
    assert _calls(panel.widget.value) == 0
    shell("import threading\nthreads = [threading.Thread(target=ask) for _ in range(8)]\n[t.start() for t in threads];")
    wait_until(lambda: _calls(panel.widget.value) == 8)
    shell("ask();")
    wait_until(lambda: _calls(panel.widget.value) == 9)


def test_two_displays_one_widget(shell: Shell) -> None:
    """Displayed twice it is one widget, so that both displays show the same."""
    first = shell("%tokens live").value
    second = shell("%tokens live").value
    assert first._repr_mimebundle_()[WIDGET]["model_id"] == second._repr_mimebundle_()[WIDGET]["model_id"]
    shell("ask()")
    wait_until(lambda: _calls(first.widget.value) == 1)


def test_close(shell: Shell) -> None:
    """Closed, it keeps its last figures and costs nothing; asked for again, it is current, and stays so."""
    panel = shell("%tokens live").value
    shell("ask()")
    wait_until(lambda: _calls(panel.widget.value) == 1)
    panel.close()
    panel.close()
    wait_until(lambda: not _panel_threads())
    assert runtime().subscribers == []
    shell("ask()")
    assert _calls(panel.widget.value) == 1
    again = shell("%tokens live").value
    assert _calls(again._repr_mimebundle_()["text/html"]) == 2
    shell("ask()")
    wait_until(lambda: _calls(again.widget.value) == 3)


def test_unloading_closes_it(shell: Shell) -> None:
    """After %unload_ext no thread of the panel's is left."""
    panel = shell("%tokens live").value
    shell("%unload_ext nbtokens")
    wait_until(lambda: not _panel_threads())
    assert _calls(panel.widget.value) == 0


def test_a_panel_that_nobody_holds_ends(shell: Shell) -> None:
    """Reloaded, the panel of before is let go, though nobody has closed it."""
    shell("%tokens live", store_history=False)
    shell("%reload_ext nbtokens")
    shell("%tokens live", store_history=False)
    shell("ask()")
    wait_until(lambda: len(_panel_threads()) == 1)


def test_follows_reset_and_off(shell: Shell, ledger: Ledger) -> None:
    """Displayed after a reset it counts from zero; while recording is off it stands still."""
    panel = shell("%tokens live").value
    shell("ask()")
    shell("%tokens reset")
    assert _calls(panel._repr_mimebundle_()["text/html"]) == 0
    shell("%tokens off")
    shell("ask()")
    assert _calls(panel._repr_mimebundle_()["text/html"]) == 0


def test_in_a_kernel(kernel: Kernel) -> None:
    """A notebook gets widget, HTML and text; calls in a thread reach the widget as messages while no cell runs."""
    kernel("%tokens reset")
    shown = kernel("%tokens live").value
    assert {WIDGET, "text/html", "text/plain"} <= set(shown)
    assert _calls(shown["text/html"]) == 0
    model = shown[WIDGET]["model_id"]
    kernel("threading.Timer(0.3, lambda: [ask() for _ in range(3)]).start()")
    values: list[int] = []
    while 3 not in values:
        message = kernel.next_message()
        values += _new_values(message, model)
    assert values == sorted(values)
    again = kernel("%tokens live").value
    assert again[WIDGET]["model_id"] == model


def _new_values(message: dict[str, Any], model: str) -> list[int]:
    """What a message to the widget says that it is to show, in calls of the session."""
    content = message["content"]
    if message["msg_type"] != "comm_msg" or content["comm_id"] != model:
        return []
    value = content["data"].get("state", {}).get("value")
    return [] if value is None else [_calls(value)]


def _panel_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "nbtokens-live"]
