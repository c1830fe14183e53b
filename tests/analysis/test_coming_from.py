"""docs/coming-from.md: each line that it names runs."""

from __future__ import annotations

import re
from decimal import Decimal
from types import SimpleNamespace

import pytest
from IPython.core.interactiveshell import InteractiveShell
from ledgers import ROOT

import nbtokens

TEXT = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `.*?` \| (.*) \|$", TEXT, flags=re.MULTILINE)
LINES = sorted({line for row in ROWS for line in re.findall(r"`((?:nbtokens\.|\{model).*?)`", row)})
MAGICS = sorted({line for row in ROWS for line in re.findall(r"`(%tokens .*?)`", row)})


@pytest.fixture(autouse=True)
def call() -> None:
    """A call to look at."""
    nbtokens.record(
        model="gpt-5",
        operation="summarise",
        input_tokens=10,
        output_tokens=4,
        duration_s=2.0,
        cost_usd=Decimal("0.5"),
        response_id="chatcmpl-1",
    )


@pytest.mark.parametrize("line", LINES)
def test_lines(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each gives something, or prints it."""
    value = eval(line, {"nbtokens": nbtokens, "response": SimpleNamespace(id="chatcmpl-1")})
    assert value is not None or capsys.readouterr().out or "reset" in line


@pytest.mark.parametrize("line", MAGICS)
def test_magics(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The same for magics."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.run_cell("%load_ext nbtokens").raise_error()
    shell.run_cell(line).raise_error()
    assert capsys.readouterr().out or "reset" in line
    shell.run_cell("%unload_ext nbtokens").raise_error()
    InteractiveShell.clear_instance()


def test_blocks() -> None:
    """The blocks of code run, in their order."""
    blocks = re.findall(r"^```python\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    assert isinstance(names["cb"], nbtokens.Operation)


def test_the_figures_are_those_of_before() -> None:
    """What a histogram, a tracker and a callback gave is what stands here."""
    assert nbtokens.stats()["total_tokens"]["sum"] == 14
    assert nbtokens.stats(model="gpt-5")["duration_s"]["avg"] == 2
    assert nbtokens.stats(operation="summarise")["cost_usd"]["sum"] == 0.5
    assert nbtokens.session().totals.recent[-1].cost_usd == Decimal("0.5")
    answered = nbtokens.session().call_of("chatcmpl-1")
    assert answered is not None
    assert answered.cost_usd == Decimal("0.5")
    assert nbtokens.estimate("some words", "gpt-5", output=0).cost_usd
    assert len(LINES) > 10
    assert len(MAGICS) == 4
