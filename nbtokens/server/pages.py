"""The web page's files. Nothing of it comes from elsewhere, and no script runs that is not one of these."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

FILES: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    **{f"/{name}": (name, "text/javascript; charset=utf-8") for name in ("page.js", "chart.js", "parts.js")},
}
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)
"""The page's Content-Security-Policy."""
_FOLDER: Final = Path(__file__).with_name("page")


class PageFile(NamedTuple):
    """A file's bytes and content type."""

    body: bytes
    kind: str


@cache
def page_file(path: str) -> PageFile:
    """The file at one of the paths of `FILES`."""
    name, kind = FILES[path]
    return PageFile((_FOLDER / name).read_bytes(), kind)
