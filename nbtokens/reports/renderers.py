"""The ways to write a report, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nbtokens.reports.as_json import as_json
from nbtokens.reports.html import html
from nbtokens.reports.markdown import markdown
from nbtokens.reports.text import text

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.reports.report import Report

RENDERERS: Final[dict[str, Callable[[Report], str]]] = {
    "text": text,
    "html": html,
    "markdown": markdown,
    "json": as_json,
}
"""What one types after `--format` -> what writes a report in this way."""
