"""What the live panel shows: as a value that is taken at one moment, and as text and HTML that show all of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Final

from nbtokens.amounts import count, local_time, speed
from nbtokens.decimals import exactly
from nbtokens.reports.figures import FIGURE_COLUMNS, by_table, cost_of, figures
from nbtokens.reports.hidden import hide_money, without_money
from nbtokens.reports.html import NO_MATH, html
from nbtokens.reports.report import Report, Table
from nbtokens.reports.text import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbtokens.views import History, Session

_BARS: Final = "▁▂▃▄▅▆▇█"
_TEXT_STEPS: Final = 40
_TEXT_BAR: Final = 20
_WIDTH, _HEIGHT, _EDGE = 160, 36, 2

# Borders and pale texts are made of the page's own colours, so that they fit light and dark.
_PANEL: Final = (
    "display: inline-block; box-sizing: border-box; max-width: 100%; padding: 10px 16px 6px 16px; margin: 2px 0; "
    "border: 1px solid rgba(128, 128, 128, 0.35); border-radius: 8px; font-size: var(--jp-ui-font-size1, 13px); "
    "line-height: 1.4; font-variant-numeric: tabular-nums"
)
_ROW: Final = "display: flex; flex-wrap: wrap; gap: 4px 32px; align-items: flex-end; margin: 0 0 10px 0"
_BIG: Final = "font-size: 1.8em; font-weight: 600; line-height: 1.2"
_PALE: Final = "opacity: 0.75; font-size: 0.9em"
_MOMENT: Final = "margin-left: auto; white-space: nowrap; font-size: 0.9em"
_DOT: Final = "display: inline-block; width: 8px; height: 8px; border-radius: 4px; margin-right: 6px"
_LINE: Final = "var(--jp-brand-color1, #1976d2)"
_BUDGET: Final = "display: flex; flex-wrap: wrap; gap: 2px 12px; align-items: center; margin: 0 0 6px 0"
_TROUGH: Final = "background: rgba(128, 128, 128, 0.25); flex: 1 1 160px; height: 8px; border-radius: 4px"


@dataclass(frozen=True, slots=True)
class Bar:
    """How much of a budget is used.

    Attributes:
        name: what it is for, and its limit: `session, $5.00`.
        used: the share of it that is used: 0.82 is 82 %.
        near: the share from which on it is near its end.
    """

    name: str
    used: float
    near: float = 0.8

    @property
    def state(self) -> str:
        """In words, for those who don't see the colour."""
        return "used up" if self.used >= 1 else "near the limit" if self.used >= self.near else ""

    @property
    def colour(self) -> str:
        """Of the bar; these three can be told apart by the colour-blind, in light and dark."""
        return "#d73a49" if self.used >= 1 else "#e69f00" if self.used >= self.near else "#3a87c8"


@dataclass(frozen=True, slots=True)
class Live:
    """The panel's figures at one moment.

    Attributes:
        report: session and all time, and the session by model.
        costs: what the session and all time cost; empty where money is hidden.
        in_flight: how many requests wait for their answer or its end.
        speed: output tokens per second of the last seconds; None where nothing was written in them.
        growth: the session's cost, USD, step by step; empty where there is none, or money is hidden.
        bars: the budgets in force.
    """

    report: Report
    costs: tuple[tuple[str, str], ...]
    in_flight: int
    speed: float | None
    growth: tuple[float, ...]
    bars: tuple[Bar, ...]

    @property
    def now(self) -> str:
        """What happens at this moment, in a line."""
        calls = "1 call" if self.in_flight == 1 else f"{count(self.in_flight) if self.in_flight else 'no'} calls"
        return f"{calls} in flight" + (f" · {speed(self.speed)} now" if self.speed is not None else "")


@exactly
def live(  # noqa: PLR0913 - one for each thing that is shown
    session: Session,
    history: History,
    *,
    in_flight: int = 0,
    tokens_per_second: float | None = None,
    growth: Sequence[float] = (),
    bars: Sequence[Bar] = (),
    hide_cost: bool = False,
) -> Live:
    """Take the figures as they are now."""
    totals = session.totals
    sums, every = totals.sums(), history.sums
    report = Report(
        "LLM usage, live",
        (
            Table("", ("", *FIGURE_COLUMNS), (("this session", *figures(sums)), ("all time", *figures(every)))),
            by_table("this session, by model", "model", totals.by("model"), "(no model)"),
            f"last call: {local_time(every.last_at)}",
        ),
    )
    if hide_cost:
        hidden = tuple(replace(bar, name=hide_money(bar.name)) for bar in bars)
        return Live(without_money(report), (), in_flight, tokens_per_second, (), hidden)
    costs = (("this session", cost_of(sums)), ("all time", cost_of(every)))
    grown = tuple(growth) if sums.cost_usd else ()
    return Live(report, costs, in_flight, tokens_per_second, grown, tuple(bars))


def live_text(now: Live, *, still: bool = False) -> str:
    """The figures as lines of text.

    Args:
        now: what to show.
        still: without what holds at one moment only, for a file that is read later.
    """
    lines = [] if still else [now.now]
    if now.growth:
        lines.append(f"cost of this session over time: {_steps(now.growth)}")
    for bar in now.bars:
        filled = min(round(bar.used * _TEXT_BAR), _TEXT_BAR)
        drawn = "█" * filled + "░" * (_TEXT_BAR - filled)
        lines.append(f"{bar.name}: {drawn} {_percent(bar)}")
    return "\n\n".join(filter(None, (text(now.report), "\n".join(lines))))


def live_html(now: Live, *, still: bool = False) -> str:
    """The same as one `div`, which needs no script and no network."""
    big = "".join(
        f'<div><div style="{_PALE}">{escape(name)}</div><div style="{_BIG}">{escape(cost)}</div></div>'
        for name, cost in now.costs
    )
    bars = "".join(map(_bar, now.bars))
    head = f'<div style="{_ROW}">{big}{_sparkline(now.growth)}{"" if still else _moment(now)}</div>'
    *tables, last = now.report.parts
    body = html(Report("", tuple(tables)), wide=True)
    foot = f'<div style="{_PALE}">{escape(str(last))}</div>'
    return f'<div class="nbtokens-live {NO_MATH}" style="{_PANEL}">{head}{bars}{body}{foot}</div>'


def _moment(now: Live) -> str:
    colour = "#2da44e" if now.in_flight else "rgba(128, 128, 128, 0.5)"
    return f'<div style="{_MOMENT}"><span style="{_DOT}; background: {colour}"></span>{escape(now.now)}</div>'


def _steps(growth: tuple[float, ...]) -> str:
    most = growth[-1] or 1.0
    steps = growth if len(growth) <= _TEXT_STEPS else growth[-1 :: -(-len(growth) // -_TEXT_STEPS)][::-1]
    return "".join(_BARS[min(int(value / most * len(_BARS)), len(_BARS) - 1)] for value in steps)


def _sparkline(growth: tuple[float, ...]) -> str:
    if not growth:
        return ""
    most = growth[-1] or 1.0
    values = (0.0, *growth)
    points = " ".join(
        f"{_EDGE + place * (_WIDTH - 2 * _EDGE) / (len(values) - 1):.1f},"
        f"{_HEIGHT - _EDGE - value / most * (_HEIGHT - 2 * _EDGE):.1f}"
        for place, value in enumerate(values)
    )
    below = f"{_EDGE},{_HEIGHT} {points} {_WIDTH - _EDGE},{_HEIGHT}"
    return (
        f'<svg role="img" aria-label="cost of this session over time" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}"><title>cost of this session over time</title>'
        f'<polygon points="{below}" style="fill: {_LINE}; fill-opacity: 0.15"/>'
        f'<polyline points="{points}" fill="none" style="stroke: {_LINE}" stroke-width="2" stroke-linejoin="round"/>'
        "</svg>"
    )


def _bar(bar: Bar) -> str:
    width = min(max(bar.used, 0.0), 1.0)
    return (
        f'<div style="{_BUDGET}"><div>{escape(bar.name)}</div>'
        f'<div style="{_TROUGH}"><div style="background: {bar.colour}; width: {width:.0%}; height: 8px; '
        f'border-radius: 4px"></div></div><div>{escape(_percent(bar))}</div></div>'
    )


def _percent(bar: Bar) -> str:
    return f"{bar.used:.0%}" + (f", {bar.state}" if bar.state else "")
