"""Runs example notebooks against the real model of this machine, and keeps them with their outputs.

python tests/notebooks/remake.py [NAME ...]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import nbformat

ROOT: Final = Path(__file__).parents[2]
PRICES: Final = '[prices."gemma-3-270m"]\ninput_per_mtok = 0.10\noutput_per_mtok = 0.40\n'
WIDGET: Final = "application/vnd.jupyter.widget-view+json"


def remake(name: str) -> None:
    """Run one, in a project of its own."""
    kept = ROOT / "notebooks" / f"{name}.ipynb"
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(kept, folder)
        Path(folder, "nbtokens.toml").write_text(PRICES)
        subprocess.run(
            [sys.executable, "-m", "nbtokens", "demo", "--notebook", kept.name],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "USER": "ada", "LOGNAME": "ada"},
            check=True,
        )
        executed = nbformat.read(Path(folder, f"{name}.executed.ipynb"), as_version=4)
    before = nbformat.read(kept, as_version=4)
    executed.metadata = before.metadata
    for cell in executed.cells:
        if cell.cell_type != "code":
            continue
        cell.metadata.pop("execution", None)
        for output in cell.outputs:
            output.get("data", {}).pop(WIDGET, None)  # it lives no longer; its figures stand beside it
        cell.outputs = [one for one in cell.outputs if "data" not in one or any(one.data.values())]
    nbformat.write(executed, kept)


if __name__ == "__main__":
    for chosen in sys.argv[1:]:
        remake(chosen)
