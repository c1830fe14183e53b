"""`%tokens live`: figures that keep themselves current."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from running import wait_until

from nbtokens.record import Record
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from running import Kernel, Shell

WIDGET = "application/vnd.jupyter.widget-view+json"


def _calls(html: str, whose: str = "this session") -> int:
    """How many calls of this session the panel shows."""
    found = re.search(rf"{whose} ([\d,]+)", _plain(html))
    assert found is not None
    return int(found[1])


def _plain(html: str) -> str:
    """The text, its words one space apart."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_a_terminal_shows_text(shell: Shell) -> None:
    """A terminal, which has no widgets, shows the figures as text, with what the cost has grown to."""
    shell("ask()")
    out = shell("%tokens live").out
    assert "LLM usage, live\n" in out
    assert re.search(r"this session +1 ", out)
    assert "no calls in flight" in out
    assert "cost of this session over time: █" in out
    assert "<" not in out


def test_keeps_itself_current(shell: Shell) -> None:
    """Calls in threads, and calls of a running cell, change what the panel shows; nobody has to ask."""
    panel = shell("%tokens live").value
    assert _calls(panel.widget.value) == 0
    shell("import threading\nthreads = [threading.Thread(target=ask) for _ in range(8)]\n[t.start() for t in threads];")
    wait_until(lambda: _calls(panel.widget.value) == 8)
    shell("ask();")
    wait_until(lambda: _calls(panel.widget.value) == 9)


def test_close(shell: Shell) -> None:
    """Closed, it keeps its last figures and costs nothing; asked for again, it is current, and stays so."""
    panel = shell("%tokens live").value
    shell("ask()")
    wait_until(lambda: _calls(panel.widget.value) == 1)
    panel.close()
    panel.close()
    wait_until(lambda: not _panel_threads())
    assert runtime().activity.watchers == []
    shell("ask()")
    assert _calls(panel.widget.value) == 1
    again = shell("%tokens live").value
    assert _calls(again.widget.value) == 2
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


def test_follows_reset_off_and_hidden_money(shell: Shell) -> None:
    """After a reset it counts from zero; while recording is off it stands still; hidden money is hidden here too."""
    panel = shell("%tokens live").value
    shell("ask()")
    wait_until(lambda: "<polyline" in panel.widget.value)
    assert "$0." in panel.widget.value
    shell("%tokens hide-cost")
    wait_until(lambda: "$" not in panel.widget.value)
    assert "<polyline" not in panel.widget.value
    shell("%tokens reset")
    wait_until(lambda: _calls(panel.widget.value) == 0)
    shell("%tokens off")
    shell("ask()")
    panel.update()
    assert _calls(panel.widget.value) == 0


def test_calls_in_flight(shell: Shell) -> None:
    """A request that was sent and has no answer yet is in flight, a stream until its end; then none is."""
    panel = shell("%tokens live").value
    shell(
        "question = [{'role': 'user', 'content': 'hi'}]\n"
        "streams = [gpt.chat.completions.create(model='gpt-5', messages=question, stream=True) for _ in range(2)]"
    )
    wait_until(lambda: "2 calls in flight" in panel.widget.value)
    shell("answer = list(streams.pop())")
    wait_until(lambda: "1 call in flight" in panel.widget.value)
    shell("streams.pop().close()")
    wait_until(lambda: "no calls in flight" in panel.widget.value)
    assert "tok/s now" in panel.widget.value


def test_budget_bars(shell: Shell) -> None:
    """Each budget has a bar, with what is used of it; a rate has none; `budget off` takes them away."""
    panel = shell("%tokens live").value
    shell("ask();")
    shell("%tokens budget 1000 --per day")
    shell("%tokens budget --tokens 10m --per minute")
    wait_until(lambda: "$1,000.00 per day" in panel.widget.value)
    assert "per minute" not in panel.widget.value
    shell("%tokens budget 0.1 --per cell --then warn --at 50% warn")
    wait_until(lambda: "$0.10 per cell" in panel.widget.value)
    shell("ask(); ask(); ask(); ask();")
    wait_until(lambda: ", used up" in panel.widget.value)
    shell("%tokens hide-cost")
    wait_until(lambda: "••• per day" in panel.widget.value)
    shell("%tokens budget off")
    wait_until(lambda: "per day" not in panel.widget.value)


def test_a_late_price(shell: Shell) -> None:
    """A price that comes after its call changes the panel too."""
    panel = shell("%tokens live").value
    woken = []
    runtime().activity.watchers.append(lambda: woken.append(True))
    try:
        runtime().keep(Record(v=1, kind="amend", id="a", ref="b", started_at=datetime.now(UTC)))
    finally:
        runtime().activity.watchers.pop()
    assert woken == [True]
    assert not panel.closed


def test_in_a_kernel(kernel: Kernel) -> None:
    """A notebook gets a widget and, as an output of its own, the same figures as HTML and text."""
    kernel("%tokens reset")
    shown = kernel("%tokens live")
    widget, static = shown.displays
    assert (widget["text/html"], widget["text/plain"]) == ("", "")
    assert WIDGET not in static
    assert _calls(static["text/html"]) == 0
    assert "LLM usage, live" in static["text/plain"]
    again = kernel("%tokens live").displays[0]
    assert again[WIDGET]["model_id"] == widget[WIDGET]["model_id"]


def test_threads_reach_the_widget_and_no_cell(kernel: Kernel) -> None:
    """Calls in a thread change the widget while no cell runs, and while another one does; they put out nothing else."""
    kernel("%tokens reset")
    model = kernel("%tokens live").displays[0][WIDGET]["model_id"]
    kernel("threading.Timer(0.3, lambda: [ask() for _ in range(3)]).start()")
    values: list[int] = []
    while 3 not in values:
        message = kernel.next_message()
        assert message["msg_type"] in ("comm_msg", "status")
        values += _new_values(message, model)
    assert values == sorted(values)


def test_current_while_a_long_cell_runs(kernel: Kernel) -> None:
    """The widget shows a cell's first calls before the cell ends."""
    kernel("%tokens reset")
    model = kernel("%tokens live").displays[0][WIDGET]["model_id"]
    request = kernel.send("go = False\nfor n in range(2):\n    ask()\nwhile not go:\n    time.sleep(0.01)")
    values: list[int] = []
    while 2 not in values:
        values += _new_values(kernel.next_message(), model)
    kernel.manager.interrupt_kernel()
    assert kernel.wait(request, fails=True).error == "KeyboardInterrupt"


def test_the_static_form_is_refreshed_when_a_cell_ends(kernel: Kernel) -> None:
    """It is updated in its place at the end of each cell that changed a figure, and only then."""
    kernel("%tokens reset")
    kernel("%tokens live")
    ran = kernel("ask();")
    assert ran.displays == []
    [static] = ran.updates.values()
    assert _calls(static["text/html"]) == 1
    assert re.search(r"this session +1 ", static["text/plain"])
    assert set(kernel("ask();").updates) == set(ran.updates)
    kernel("time.sleep(0)")
    assert WIDGET not in static


def test_at_most_five_updates_a_second(kernel: Kernel) -> None:
    """However many calls come, the widget is told no more often than its pause allows: far fewer times than calls."""
    kernel("%tokens reset")
    model = kernel("%tokens live").displays[0][WIDGET]["model_id"]
    request = kernel.send("began = time.monotonic()\nfor n in range(300):\n    ask()\nprint(time.monotonic() - began)")
    values: list[int] = []
    took = None
    while took is None or 300 not in values:
        message = kernel.next_message()
        values += _new_values(message, model)
        if message["msg_type"] == "stream" and message["parent_header"].get("msg_id") == request:
            took = float(message["content"]["text"])
    kernel.client.get_shell_msg(timeout=20)
    assert len(values) <= took * 5 + 3


def test_calls_of_another_kernel(kernel: Kernel, other_kernel: Kernel) -> None:
    """A kernel in which nothing runs shows what another one records: in the panel, and in the latest calls."""
    kernel("tail = get_ipython().run_line_magic('tokens', 'tail -f -n 1')")
    tail = kernel("__import__('IPython').display.display(tail)").displays[0][WIDGET]["model_id"]
    widget, static = kernel("%tokens live").displays
    expected = {
        widget[WIDGET]["model_id"]: f"all time {_calls(static['text/html'], 'all time') + 1}",
        tail: "elsewhere",
    }
    other_kernel("__import__('nbtokens').record(model='elsewhere', input_tokens=1)")
    while expected:
        message = kernel.next_message()
        assert message["msg_type"] in ("comm_msg", "status")
        for model, text in list(expected.items()):
            if any(text in _plain(html) for html in _new_html(message, model)):
                del expected[model]
    kernel("tail.close()")


def _new_html(message: dict[str, Any], model: str) -> list[str]:
    """What a message to the widget says that it is to show."""
    content = message["content"]
    if message["msg_type"] != "comm_msg" or content["comm_id"] != model:
        return []
    value = content["data"].get("state", {}).get("value")
    return [] if value is None else [value]


def _new_values(message: dict[str, Any], model: str) -> list[int]:
    """The same, in calls of the session."""
    return [_calls(html) for html in _new_html(message, model)]


def _panel_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "nbtokens-live"]
