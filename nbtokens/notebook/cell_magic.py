"""`%%tokens`: the cell runs as it would without it, and its figures come after it.

The line is taken out before IPython compiles the cell, so that everything works in it that works in a cell:
`await` at its top, another cell magic on the next line, a last expression that is displayed.
"""

from __future__ import annotations

import re
from typing import Final

from nbtokens.errors import NbtokensError
from nbtokens.notebook.cell_options import CellOptions, read_cell_options

_LINE: Final = re.compile(r"%%tokens(?:[ \t]+(?P<arguments>.*))?[ \t]*\r?\n?\Z")


def without_magic(lines: list[str]) -> list[str]:
    """An input transformer: the cell's lines without a `%%tokens` line that leads it.

    A blank line takes its place, so that line numbers in tracebacks are those of the cell; but another cell
    magic must come first of all. A line with a mistake stays: IPython then calls the magic, which says so, and
    the cell is not run.
    """
    found = _LINE.match(lines[0]) if lines else None
    if found is None or _options(found) is None:
        return lines
    rest = lines[1:]
    return rest if rest and rest[0].startswith("%%") else ["\n", *rest]


# IPython passes such ones over when it looks whether a cell is complete. In a terminal, a cell that begins with `%%`
# goes on until a blank line; without its first line it would run before anything else could be typed.
without_magic.has_side_effects = True  # type: ignore[attr-defined]


def options_of(source: str) -> CellOptions | None:
    """What stands behind `%%tokens` in a cell, alone or among its leading cell magics; None where it isn't."""
    for line in source.lstrip("\n\r \t").splitlines():
        if not line.startswith("%%"):
            return None
        found = _LINE.match(line)
        if found is not None:
            return _options(found)
    return None


def _options(found: re.Match[str]) -> CellOptions | None:
    try:
        return read_cell_options(found["arguments"] or "")
    except NbtokensError:
        return None
