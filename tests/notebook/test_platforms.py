"""Hosted notebooks whose disk goes away."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from nbtokens.notebook.platforms import PLATFORMS, platform, prepare_widgets, warning_about_disk

if TYPE_CHECKING:
    from conftest import Ledger
    from running import Shell

LOST = {"Colab": "/content/.metrics", "Kaggle": "/kaggle/working/.metrics", "Databricks": "/databricks/driver/.metrics"}


@pytest.mark.parametrize("one", PLATFORMS, ids=lambda one: one.name)
def test_a_disk_that_goes_away(one: object) -> None:
    """Each is told by its own variable; the warning names place, platform and what to do."""
    (here,) = (known for known in PLATFORMS if known is one)
    environment = {here.variable: "1"}
    assert platform(environment) is here
    told = warning_about_disk(Path(LOST[here.name]), environment)
    assert told is not None
    assert told.startswith(f"{Path(LOST[here.name])} goes away with this {here.name} machine")


def test_a_place_that_stays() -> None:
    """Nothing is said elsewhere, on a disk that stays, and where the user has chosen the place."""
    assert warning_about_disk(Path("/content/.metrics"), {}) is None
    colab = {"COLAB_RELEASE_TAG": "1"}
    assert warning_about_disk(Path("/content/drive/MyDrive/x/.metrics"), colab) is None
    assert warning_about_disk(Path("/content/.metrics"), colab | {"NBTOKENS_DIR": "/content/.metrics"}) is None


def test_told_once_under_the_cell_that_loads(bare: Shell, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The warning stands in one line under the cell that loads nbtokens, and under no other."""
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab-1")
    out = bare("%load_ext nbtokens").out
    assert out.count("goes away with this Colab machine") == len(out.splitlines()) == 1
    assert bare("%reload_ext nbtokens").out == bare("ask();").out == ""


def test_colabs_widget_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Colab the manager that shows ipywidgets 8 is asked for, by the function that Colab documents."""
    asked = []
    package, colab, output = ModuleType("google"), ModuleType("google.colab"), ModuleType("google.colab.output")
    output.enable_custom_widget_manager = lambda: asked.append(True)  # type: ignore[attr-defined]
    colab.output = output  # type: ignore[attr-defined]
    prepare_widgets()
    assert asked == []
    for name, module in (("google", package), ("google.colab", colab)):
        monkeypatch.setitem(sys.modules, name, module)
    prepare_widgets()
    assert asked == [True]
