"""Which notebook a demo runs, and where its copies go."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nbformat
import pytest

from nbtokens.demo import notebook_file
from nbtokens.demo.notebook_file import given_notebook, quickstart, shown
from nbtokens.errors import NbtokensError

TOUR = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"


def test_tour_is_found_upward(tmp_path: Path) -> None:
    """From within a project that has the tour, that one is run, in its own folder."""
    (tmp_path / "notebooks").mkdir()
    own = Path(shutil.copy(TOUR, tmp_path / "notebooks"))
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    for folder in (tmp_path, below, own.parent):
        found = quickstart(folder)
        assert found.source == found.path == own
    assert found.copy("executed") == own.with_name("quickstart.executed.ipynb")


@pytest.mark.parametrize("content", ['{"metadata": {}, "cells": []}', "no json", "[]"])
def test_another_projects_quickstart(tmp_path: Path, content: str) -> None:
    """A quickstart.ipynb that isn't nbtokens' own is left alone; the installed tour runs in the working directory."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "quickstart.ipynb").write_text(content)
    found = quickstart(tmp_path)
    assert found.source == TOUR
    assert found.path == tmp_path / "quickstart.ipynb"


def test_installed_tour_comes_first_from_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an installation from a wheel, the copy inside the package is the tour."""
    package = tmp_path / "site-packages" / "nbtokens" / "demo"
    package.mkdir(parents=True)
    packaged = Path(shutil.copy(TOUR, package))
    monkeypatch.setattr(notebook_file, "__file__", str(package / "notebook_file.py"))
    assert quickstart(tmp_path).source == packaged
    packaged.unlink()
    with pytest.raises(NbtokensError, match="--notebook PATH"):
        quickstart(tmp_path)


def test_notebook_that_is_not_there(tmp_path: Path) -> None:
    """A path without a notebook is refused with its name."""
    with pytest.raises(NbtokensError, match=r"no notebook at .*missing\.ipynb"):
        given_notebook(tmp_path / "missing.ipynb")


def test_shown_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are shown as they are shortest to type from here."""
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "a.ipynb") == "a.ipynb"
    assert shown(Path("/etc/hosts")) == "/etc/hosts"


def test_tour_as_committed() -> None:
    """The tour is a valid notebook for any Python 3 kernel, starts with nbtokens, and shows what a run showed."""
    tour = nbformat.read(TOUR, as_version=4)
    nbformat.validate(tour)
    code = [cell for cell in tour.cells if cell.cell_type == "code"]
    assert code[0].source == "%load_ext nbtokens"
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert any("this session" in output.get("data", {}).get("text/plain", "") for output in outputs)
    assert not any("widget" in kind for output in outputs for kind in output.get("data", {}))
    assert tour.metadata.kernelspec.name == "python3"
    assert len({cell.id for cell in tour.cells}) == len(tour.cells)
    assert "nbtokens" in json.loads(TOUR.read_text())["metadata"]
