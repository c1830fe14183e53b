"""A report as Markdown that also reads well as plain text."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from nbtokens.reports.report import Layout, Part, Report
from nbtokens.reports.text import one_line, padded

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPECIAL: Final = re.compile(r"([`*_\[\]|~$])")
_ANY: Final = re.compile(r"[`*_\[\]|~$&<>\\]")
_PLAIN: Final = re.compile(r"(?<=[A-Za-z0-9])_(?=[A-Za-z0-9])")


def markdown(report: Report) -> str:
    """The report as GitHub-flavoured Markdown."""
    title = [f"# {report.title}"] if report.title else []
    blocks = [*title, *(block for part in report.parts for block in _blocks(part))]
    return "\n\n".join(blocks) + "\n"


@lru_cache(maxsize=4096)  # after one more call nearly all of a summary reads as before it
def escaped(name: str) -> str:
    """A text, from wherever it comes, so that Markdown and HTML show it as it is and it can break nothing.

    An underscore inside of a word means nothing in Markdown and stays as it is. Dollar signs and backslashes
    would begin a formula in JupyterLab, which looks for these before it reads the Markdown.
    """
    if name.isprintable() and _ANY.search(name) is None:
        return name
    safe = one_line(name).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\\", "&#92;")
    marked = _PLAIN.sub("\0", safe)
    return _SPECIAL.sub(r"\\\1", marked).replace("\0", "_")


def _blocks(part: Part) -> Iterator[str]:
    if isinstance(part, Layout):
        yield "\n".join(f"    {one_line(line)}".rstrip() for line in part.lines)
        return
    if isinstance(part, str):
        yield escaped(part)
        return
    if part.heading:
        yield f"## {escaped(part.heading)}"
    if not part.rows:
        yield escaped(part.empty)
        return
    rows = tuple(tuple(escaped(cell) for cell in row) for row in (part.names, *part.rows))
    head, *body = padded(rows, part.right)
    rule = [
        "-" * (len(cell) - 1) + ":" if to_right else "-" * len(cell)
        for cell, to_right in zip(head, part.right, strict=True)
    ]
    yield "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *body))
