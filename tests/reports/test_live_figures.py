"""The live panel's figures as text and HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

import nbtokens
from nbtokens.reports.live import Bar, Live, live, live_html, live_text

if TYPE_CHECKING:
    from collections.abc import Sequence


def figures(growth: Sequence[float] = (), bars: Sequence[Bar] = (), *, hide_cost: bool = False) -> Live:
    return live(
        nbtokens.session(),
        nbtokens.history(),
        in_flight=2,
        tokens_per_second=46.2,
        growth=growth,
        bars=bars,
        hide_cost=hide_cost,
    )


def test_session_and_all_time_side_by_side() -> None:
    """Both costs stand at the top, then what happens now, then the figures by model."""
    nbtokens.record(model="m", input_tokens=1, cost_usd=3)
    nbtokens.record(model="<b>&", input_tokens=1, cost_usd=4)
    shown = live_html(figures())
    root = ET.fromstring(shown)
    head = "".join(root[0].itertext())
    assert head == "this session$7.0000all time$7.00002 calls in flight · 46.2 tok/s now"
    assert "<b>" not in shown
    assert "2 calls in flight · 46.2 tok/s now" in live_text(figures())


def test_the_sparkline_rises_to_the_cost() -> None:
    """It begins low on the left and ends high on the right; in text, with the highest bar."""
    nbtokens.record(model="m", input_tokens=1, cost_usd=3)
    root = ET.fromstring(live_html(figures(growth=(1.0, 2.0, 4.0))))
    [line] = root.iter("polyline")
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert points[0] == (2, 34)
    assert points[-1] == (158, 2)
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)
    assert "over time: ▃▅█" in live_text(figures(growth=(1.0, 2.0, 4.0)))


def test_a_long_growth_as_text() -> None:
    """The text has at most 40 bars, and ends with the last."""
    nbtokens.record(model="m", input_tokens=1, cost_usd=3)
    bars = live_text(figures(growth=[float(n) for n in range(1, 121)])).split("over time: ")[1].splitlines()[0]
    assert len(bars) == 40
    assert bars[-1] == "█"


def test_no_sparkline_of_nothing() -> None:
    """Calls that cost nothing draw no line."""
    nbtokens.record(model="m", input_tokens=1, cost_usd=0)
    assert "<svg" not in live_html(figures(growth=(0.0, 0.0)))
    assert "over time" not in live_text(figures(growth=(0.0, 0.0)))


@pytest.mark.parametrize(
    ("used", "told", "colour", "width"),
    [
        (0.42, "42%", "#3a87c8", "42%"),
        (0.8, "80%, near the limit", "#e69f00", "80%"),
        (1.2, "120%, used up", "#d73a49", "100%"),
    ],
)
def test_budget_bar(used: float, told: str, colour: str, width: str) -> None:
    """It is filled as far as the budget is used, and says so in words where colour says it."""
    now = figures(bars=[Bar("session, 5 USD", used)])
    html = live_html(now)
    assert f"background: {colour}; width: {width}" in html
    assert f">{told}</div>" in html
    [line] = [one for one in live_text(now).splitlines() if one.startswith("session, 5 USD: ")]
    assert line.endswith(f" {told}")
    assert line.count("█") == min(round(used * 20), 20)


def test_hidden_money() -> None:
    """No amount and no shape of the cost is left; tokens are."""
    nbtokens.record(model="m", input_tokens=77, cost_usd=3)
    now = figures(growth=(1.0, 3.0), bars=[Bar("$5.00 per session", 0.6)], hide_cost=True)
    assert "$" not in live_html(now) + live_text(now)
    assert "<svg" not in live_html(now)
    assert "77" in live_html(now)
    assert "60%" in live_html(now)


def test_still() -> None:
    """For a file that is read later, what holds at one moment only is left out."""
    now = figures(growth=(1.0,))
    for shown in (live_html(now, still=True), live_text(now, still=True)):
        assert "this session" in shown
        assert "in flight" not in shown
        assert "tok/s now" not in shown
