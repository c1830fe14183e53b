"""docs/before.md and docs/plots.md: each of their blocks runs in one shell, in its order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from IPython.core.interactiveshell import InteractiveShell

import nbtokens

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """A shell with nbtokens loaded, in a project with a call."""
    before = mpl.get_backend()
    plt.switch_backend("agg")
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "nbtokens")
    nbtokens.record(model="gpt-5-mini", provider="openai", input_tokens=9, output_tokens=90, duration_s=2)
    yield shell
    plt.close("all")
    shell.extension_manager.unload_extension("nbtokens")
    InteractiveShell.clear_instance()
    plt.switch_backend(before)


@pytest.mark.parametrize("name", ["before.md", "plots.md"])
def test_every_block_runs(name: str, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    """No block fails, and none makes a real call."""
    text = (DOCS / name).read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:python|ipython)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        shell.run_cell(block, store_history=True).raise_error()
    assert "Error" not in capsys.readouterr().err
    assert {row.model for row in nbtokens.history().records()} == {"gpt-5-mini"}


def test_every_plot_is_described() -> None:
    """The table has each plot that there is."""
    from nbtokens.plots import PLOTS  # noqa: PLC0415

    described = re.findall(r"^\| `(\w+)` \|", (DOCS / "plots.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert described == list(PLOTS)
