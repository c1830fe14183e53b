"""The example notebooks: each runs from its first cell to its last, and shows what it teaches."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import nbformat
import pytest

if TYPE_CHECKING:
    from nbformat import NotebookNode

ROOT: Final = Path(__file__).parents[2]
PRICES: Final = '[prices."simulated-model"]\ninput_per_mtok = 0.10\noutput_per_mtok = 0.40\n'


class Example(NamedTuple):
    """What a notebook must show.

    Attributes:
        calls: how many it makes; None for one whose history lies elsewhere.
        texts: cell -> what stands in its outputs.
        pictures: the cells that show one.
    """

    calls: int | None
    texts: dict[str, str]
    pictures: tuple[str, ...] = ()


EXAMPLES: Final = {
    "batch_dataframe": Example(
        29,
        {
            "estimate-magic": "Estimate for simulated-model",
            "track": "cost_usd",
            "budget": "9 of 18 rows; stopped: ",
        },
        ("estimate", "plot"),
    ),
    "comparing_models": Example(
        8,
        {"stats": "short", "whatif": "claude-haiku-4-5", "prices": "Context window", "estimate": "gemini-2.5-flash"},
        ("plot-models", "plot-speed"),
    ),
    "async_and_threads": Example(18, {"gather": "LLM usage of this cell", "threads": "6 calls", "cells": "threads"}),
    "rag_embeddings": Example(
        7, {"stats": "query_embedding", "frame": "rag_output", "estimate": "Estimate for text-embedding-3-small"}
    ),
    "finding_waste": Example(
        12,
        {
            "cells": "Requests identical to earlier ones",
            "hashes": "6 of 9 calls",
            "kept": "3 calls for 9 questions",
            "cost": "LLM cost",
        },
        ("plot",),
    ),
    "team_history": Example(None, {"cost": "grace", "stats": "linus", "frame": "ada"}, ("daily", "page")),
}


def test_each_notebook_is_tested() -> None:
    """Each notebook of the folder is one of these, or the tour, which tests of its own hold."""
    assert {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")} == {*EXAMPLES, "quickstart"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_runs(name: str, tmp_path: Path) -> None:
    """Run against the simulated model, no cell fails; figures and pictures are there, and the history has the calls."""
    shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", tmp_path)
    (tmp_path / "nbtokens.toml").write_text(PRICES)
    done = subprocess.run(
        [sys.executable, "-m", "nbtokens", "demo", "--simulate", "--notebook", f"{name}.ipynb"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    expected = EXAMPLES[name]
    outputs = outputs_of(nbformat.read(tmp_path / f"{name}.executed.ipynb", as_version=4))
    for cell, text in expected.texts.items():
        assert text in shown(outputs[cell]), cell
    for cell in expected.pictures:
        assert any("image/png" in output.get("data", {}) for output in outputs[cell]), cell
    if expected.calls is not None:
        rows = json.loads((tmp_path / ".metrics" / "usage_history.json").read_text())
        calls = [row for row in rows if row["kind"] == "call"]
        assert len(calls) == expected.calls
        assert {row["notebook"] for row in calls} == {f"{name}.ipynb"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_is_kept_with_its_outputs(name: str) -> None:
    """Whoever only looks sees figures: the notebook was run, to its end, on a model and not on the simulated one."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    outputs = outputs_of(notebook)
    for cell in (*EXAMPLES[name].texts, *EXAMPLES[name].pictures):
        assert outputs[cell], cell
    text = json.dumps(list(outputs.values()))
    assert '"output_type": "error"' not in text
    assert "simulated" not in text
    assert "/tmp/" not in text
    assert "/home/" not in text


def outputs_of(notebook: NotebookNode) -> dict[str, list[Any]]:
    return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def shown(outputs: list[Any]) -> str:
    """The text of a cell's outputs."""
    return "\n".join(
        output.get("text") or str(output.get("data", {}).get("text/plain", output.get("ename"))) for output in outputs
    )
