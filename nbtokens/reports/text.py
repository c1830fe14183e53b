"""A report as plain text, for a terminal."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from nbtokens.reports.report import Layout, Part, Report, Table

if TYPE_CHECKING:
    from collections.abc import Iterator


def text(report: Report) -> str:
    """The report as lines of text, without a line break at the end."""
    blocks = [report.title, *(_block(part) for part in report.parts)]
    return "\n\n".join(block for block in blocks if block)


def one_line(value: str) -> str:
    """A name as it can stand in a line: line breaks and control characters become spaces."""
    if value.isprintable():
        return value
    return "".join(" " if unicodedata.category(char) in ("Cc", "Zl", "Zp") else char for char in value)


def padded(cells: tuple[tuple[str, ...], ...], right: tuple[bool, ...]) -> Iterator[list[str]]:
    """The cells of a table, all of a column equally wide as a fixed-width font shows them."""
    own = [list(map(_width, row)) for row in cells]
    widths = [max(column) for column in zip(*own, strict=True)]
    for row, taken in zip(cells, own, strict=True):
        yield [
            " " * (width - used) + cell if to_right else cell + " " * (width - used)
            for cell, width, used, to_right in zip(row, widths, taken, right, strict=True)
        ]


def _block(part: Part) -> str:
    if isinstance(part, Table):
        return _table(part)
    return "\n".join(map(one_line, part.lines if isinstance(part, Layout) else (part,)))


def _table(table: Table) -> str:
    lines = [table.heading] if table.heading else []
    if not table.rows:
        return "\n".join([*lines, f"  {table.empty}"])
    rows = tuple(tuple(one_line(cell) for cell in row) for row in (table.names, *table.rows))
    lines += [("  " + "  ".join(row)).rstrip() for row in padded(rows, table.right)]
    return "\n".join(lines)


def _width(cell: str) -> int:
    if cell.isascii():
        return len(cell)
    from wcwidth import wcswidth  # noqa: PLC0415 - not on loading: its tables are large

    return max(wcswidth(cell), 0)
