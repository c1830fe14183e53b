"""A report in a terminal, in colour: the one place that knows rich."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from nbtokens.reports.report import Layout
from nbtokens.reports.text import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nbtokens.reports.report import Part, Report


def show(report: Report, file: IO[str]) -> None:
    """Write a report to a terminal, as wide as it is."""
    from rich.console import Console  # noqa: PLC0415 - only where a person looks on

    console = Console(file=file, highlight=False, markup=False, emoji=False)
    if report.title:
        console.print(report.title, style="bold")
    for part in report.parts:
        console.print()
        console.print(_renderable(part))


def _renderable(part: Part) -> RenderableType:
    from rich.table import Table as RichTable  # noqa: PLC0415 - the same
    from rich.text import Text  # noqa: PLC0415 - the same

    if isinstance(part, str):
        return Text(one_line(part))
    if isinstance(part, Layout):
        return Text("\n".join(map(one_line, part.lines)))
    if not part.rows:
        return Text(f"{part.heading}\n  {part.empty}".lstrip())
    table = RichTable(title=part.heading or None, title_justify="left", title_style="bold", box=None, padding=(0, 2))
    for name, right in zip(part.names, part.right, strict=True):
        table.add_column(Text(name), justify="right" if right else "left", header_style="dim", overflow="fold")
    for row in part.rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    return table
