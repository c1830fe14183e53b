"""A report as HTML that needs no script, no style sheet and no network, in light and dark."""

from __future__ import annotations

from html import escape
from typing import Final

from nbtokens.reports.report import Layout, Part, Report, Table

_BLOCK: Final = (
    "font-size: var(--jp-ui-font-size1, 13px); line-height: 1.4; max-width: 100%; overflow-x: auto; "
    "font-variant-numeric: tabular-nums"
)
_TITLE: Final = "font-weight: 600; margin: 0 0 4px 0"
_HEADING: Final = "text-align: left; caption-side: top; padding: 6px 0 2px 0; opacity: 0.75; white-space: nowrap"
# Front ends centre tables and stripe their rows; and columns of one name stand under each other where they can.
_TABLE: Final = "border-collapse: collapse; margin: 0 0 8px 0; table-layout: auto"
_LAYOUT: Final = "margin: 0 0 6px 0; background: none; font-size: inherit"
_LINE: Final = "background: none"
# Two amounts in dollars are a formula for MathJax, which typesets what notebooks show: it passes over these classes.
NO_MATH: Final = "tex2jax_ignore mathjax_ignore"
_CELL: Final = (
    "padding: 3px 0; border-bottom: 1px solid rgba(128, 128, 128, 0.25); background: none; font-size: inherit"
)
_NAME: Final = "min-width: 9em; text-align: left"
_TEXT: Final = "text-align: left"
_LATER: Final = "padding-left: 14px; text-align: left"
_NUMBER: Final = "padding-left: 14px; min-width: 3.2em; white-space: nowrap; text-align: right"
_KINDS: Final = {"th": "font-weight: 600; white-space: nowrap", "td": "font-weight: normal"}


def html(report: Report, *, wide: bool = False) -> str:
    """The report as one `div`; its tables may be as wide as what it stands in."""
    title = f'<div style="{_TITLE}">{escape(report.title)}</div>' if report.title else ""
    parts = "".join(_part(part, wide) for part in report.parts)
    return f'<div class="nbtokens {NO_MATH}" style="{_BLOCK}">{title}{parts}</div>'


def _part(part: Part, wide: bool) -> str:  # noqa: FBT001 - handed on
    if isinstance(part, Table):
        return _table(part, "; width: 100%" if wide else "")
    if isinstance(part, Layout):
        return f'<pre style="{_LAYOUT}">{escape(chr(10).join(part.lines))}</pre>'
    return f"<div>{escape(part)}</div>"


def _table(table: Table, width: str) -> str:
    if not table.rows:
        said = f"{table.heading}: {table.empty}" if table.heading else table.empty
        return f'<div style="opacity: 0.75">{escape(said)}</div>'
    first = f"{_NAME}{width}" if all(table.right[1:]) else _TEXT
    head = _row("th", table.names, table.right, first)
    body = "".join(_row("td", row, table.right, first) for row in table.rows)
    caption = f'<caption style="{_HEADING}">{escape(table.heading)}</caption>' if table.heading else ""
    return f'<table style="{_TABLE}{width}">{caption}<thead>{head}</thead><tbody>{body}</tbody></table>'


def _row(kind: str, cells: tuple[str, ...], right: tuple[bool, ...], first: str) -> str:
    places = [_NUMBER if to_right else _LATER for to_right in right]
    if not right[0]:
        places[0] = first
    inside = "".join(
        f'<{kind} style="{_CELL}; {_KINDS[kind]}; {place}">{escape(cell)}</{kind}>'
        for cell, place in zip(cells, places, strict=True)
    )
    return f'<tr style="{_LINE}">{inside}</tr>'
