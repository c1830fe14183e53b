"""docs/notebook.md: each of its cells runs, and each option that it names is one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from nbtokens.notebook.cell_options import CELL_OPTIONS
from nbtokens.notebook.preferences import NbTokens

if TYPE_CHECKING:
    from running import Shell

DOCUMENT = (Path(__file__).parents[2] / "docs" / "notebook.md").read_text(encoding="utf-8")


def test_every_cell_runs(bare: Shell) -> None:
    """The document's cells, in their order, in one shell: none fails, and none complains."""
    cells = re.findall(r"^```python\n(.*?)^```", DOCUMENT, flags=re.MULTILINE | re.DOTALL)
    assert len(cells) >= 7
    for cell in cells:
        assert bare(cell).err == ""


def test_options_and_settings_are_described() -> None:
    """Every option of `%%tokens` and every setting is in the document."""
    for option in CELL_OPTIONS:
        assert f"| `{option}" in DOCUMENT
    for name in NbTokens.class_own_traits(config=True):
        assert name.replace("_", "-") in DOCUMENT or name in DOCUMENT
