"""The line that a cell is known by: from this kernel's own cells, else from the notebook's file.

The history never holds code. What is shown beside a cell's figures is looked up when it is asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST: Final = 48
_MOST_CELLS: Final = 10_000
_LARGEST_FILE: Final = 50_000_000


def source_id(source: str) -> str:
    """What a cell without an id is known by in the history: a hash of its source."""
    return f"source-{hashlib.sha256(source.encode(errors='surrogatepass')).hexdigest()[:16]}"


def telling_line(source: str) -> str:
    """The first line of code that imports nothing, cut to 48 characters; else the first of code, else the first."""
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    of_code = [line for line in lines if not line.startswith(("#", "%%tokens"))]
    telling = [line for line in of_code if not line.startswith(("import ", "from "))]
    code = next(iter(telling or of_code or lines), "")
    return code if len(code) <= _LONGEST else f"{code[: _LONGEST - 1]}…"


class Sources:
    """The lines of the cells that were run in this kernel, the latest 10,000."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, str] = OrderedDict()

    def add(self, cell: str, source: str) -> None:
        """A cell is run, maybe with another source than before."""
        self._lines[cell] = telling_line(source)
        self._lines.move_to_end(cell)
        if len(self._lines) > _MOST_CELLS:
            self._lines.popitem(last=False)

    def lines(self, notebook: Path | None) -> dict[str, str]:
        """Cell -> its line.

        Args:
            notebook: the file to look in for the cells that this kernel hasn't run; it may be missing or unreadable.
        """
        return {**_lines_of(notebook), **self._lines}


def _lines_of(notebook: Path | None) -> dict[str, str]:
    found: dict[str, str] = {}
    if notebook is None or notebook.suffix != ".ipynb":
        return found
    try:
        if notebook.stat().st_size > _LARGEST_FILE:
            return found
        for cell in json.loads(notebook.read_bytes())["cells"]:
            if cell["cell_type"] == "code":
                source = _text(cell["source"])
                found[source_id(source)] = line = telling_line(source)
                if "id" in cell:
                    found[str(cell["id"])] = line
    except (OSError, ValueError, KeyError, TypeError):  # somebody else's file: what could be read is used
        return found
    return found


def _text(source: Any) -> str:  # noqa: ANN401 - as it stands in the file
    return source if isinstance(source, str) else "".join(source)
