"""`%tokens tail`: the latest calls in a notebook."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from running import wait_until

import nbtokens
from nbtokens.notebook.preferences import NbTokens
from nbtokens.notebook.tailing import TailPanel
from nbtokens.record import Record
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from ledgers import Ledger
    from running import Kernel, Shell

WIDGET = "application/vnd.jupyter.widget-view+json"


def test_a_table(shell: Shell) -> None:
    """So many of the latest calls, the newest last, like those of `nbtokens tail`; none where there are none."""
    assert shell("%tokens tail").value.parts[0].rows == ()
    for number in range(12):
        nbtokens.record(model=f"model-{number}", input_tokens=1)
    [table] = shell("%tokens tail").value.parts
    assert [row[1] for row in table.rows] == [f"model-{number}" for number in range(2, 12)]
    assert [row[1] for row in shell("%tokens tail -n 1").value.parts[0].rows] == ["model-11"]


def test_hidden_money(shell: Shell) -> None:
    """Where money is hidden, it is here."""
    nbtokens.record(model="m", input_tokens=1, cost_usd=3)
    assert "$3.00" in repr(shell("%tokens tail").value)
    shell("%tokens hide-cost")
    assert "$" not in repr(shell("%tokens tail").value)


def test_json(shell: Shell, ledger: Ledger) -> None:
    """`--json` prints the records as they are in the history."""
    nbtokens.record(model="one", input_tokens=1)
    nbtokens.record(model="two", input_tokens=1)
    assert json.loads(shell("%tokens tail -n 1 --json").out) == ledger.rows()[-1]


@pytest.mark.parametrize(
    ("words", "said"),
    [("-n many", "'many' is no number of calls: 0 or more"), ("--jsn", "did you mean --json?"), ("'", "No closing")],
)
def test_wrong_words(words: str, said: str, shell: Shell) -> None:
    """One line says what is wrong."""
    ran = shell(f"%tokens tail {words}", fails=True)
    assert said in ran.out + ran.err
    assert ran.error == "UsageError"


def test_a_price_that_came_later(shell: Shell) -> None:
    """A call is shown at the price that it was given later, however many rows lie between."""
    call = nbtokens.record(model="m", input_tokens=1)
    for _ in range(100):
        with nbtokens.operation("without calls"):
            pass
    price = {"cost_usd": Decimal(7), "price_source": "user"}
    runtime().keep(Record(v=1, kind="amend", id="a", ref=call.id, started_at=call.started_at, **price))
    assert "$7.00" in repr(shell("%tokens tail").value)


def test_a_panel(shell: Shell) -> None:
    """It keeps itself current, hides money, and may show more calls."""
    preferences = NbTokens()
    panel = TailPanel(runtime(), preferences, 1)
    assert "No calls yet." in panel.widget.value
    nbtokens.record(model="first", input_tokens=1)
    wait_until(lambda: "first" in panel.widget.value)
    nbtokens.record(model="second", input_tokens=1, cost_usd=3)
    wait_until(lambda: "$3.00" in panel.widget.value)
    assert "first" not in panel.widget.value
    panel.calls = 2
    preferences.hide_cost = True
    runtime().activity.changed()
    wait_until(lambda: "first" in panel.widget.value and "$" not in panel.widget.value)
    panel.close()


def test_in_a_kernel(kernel: Kernel) -> None:
    """`-f` gives a notebook a widget and a table, which the next cell brings up to date; the kernel is free at once."""
    shown = kernel("%tokens tail -f -n 2").displays
    assert WIDGET in shown[0]
    ran = kernel("__import__('nbtokens').record(model='of-this-cell', input_tokens=1);")
    assert any("of-this-cell" in update["text/plain"] for update in ran.updates.values())
    again = kernel("%tokens tail --follow").displays
    assert again[0][WIDGET]["model_id"] == shown[0][WIDGET]["model_id"]
    assert "-f shows a table" in kernel("%tokens tail -f --json", fails=True).err
    kernel("get_ipython().run_line_magic('tokens', 'tail -f').close()")
