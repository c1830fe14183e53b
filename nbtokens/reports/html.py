"""A report as HTML that needs no script, no style sheet and no network, in light and dark."""

from __future__ import annotations

from html import escape
from typing import Final

from nbtokens.reports.report import Layout, Part, Report, Table

_BLOCK: Final = "font-size: var(--jp-ui-font-size1, 13px); line-height: 1.4; max-width: 100%; overflow-x: auto"
_TITLE: Final = "font-weight: 600; margin: 0 0 4px 0"
_HEADING: Final = "text-align: left; caption-side: top; padding: 6px 0 2px 0; opacity: 0.75; white-space: nowrap"
_TABLE: Final = "border-collapse: collapse; margin: 0 0 6px 0"
_LAYOUT: Final = "margin: 0 0 6px 0; background: none; font-size: inherit"
_CELL: Final = "padding: 2px 12px 2px 0; border-bottom: 1px solid rgba(128, 128, 128, 0.25); background: none"


def html(report: Report) -> str:
    """The report as one `div`."""
    title = f'<div style="{_TITLE}">{escape(report.title)}</div>' if report.title else ""
    return f'<div class="nbtokens" style="{_BLOCK}">{title}{"".join(map(_part, report.parts))}</div>'


def _part(part: Part) -> str:
    if isinstance(part, Table):
        return _table(part)
    if isinstance(part, Layout):
        return f'<pre style="{_LAYOUT}">{escape(chr(10).join(part.lines))}</pre>'
    return f"<div>{escape(part)}</div>"


def _table(table: Table) -> str:
    if not table.rows:
        return f'<div style="opacity: 0.75">{escape(table.heading)}: {escape(table.empty)}</div>'
    head = _row("th", table.names, table.right)
    body = "".join(_row("td", row, table.right) for row in table.rows)
    caption = f'<caption style="{_HEADING}">{escape(table.heading)}</caption>' if table.heading else ""
    return f'<table style="{_TABLE}">{caption}<thead>{head}</thead><tbody>{body}</tbody></table>'


def _row(kind: str, cells: tuple[str, ...], right: tuple[bool, ...]) -> str:
    inside = "".join(
        f'<{kind} style="{_CELL}; text-align: {"right" if to_right else "left"}">{escape(cell)}</{kind}>'
        for cell, to_right in zip(cells, right, strict=True)
    )
    return f"<tr>{inside}</tr>"
