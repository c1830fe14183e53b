"""`%tokens footer`: one quiet line under each cell that made calls; `%tokens hide-cost`: no amounts of money."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from nbtokens.amounts import usd
from nbtokens.record import Record, new_id
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from conftest import Ledger
    from running import Kernel, Shell


def test_a_line_under_cells_with_calls(shell: Shell, ledger: Ledger) -> None:
    """Calls, tokens, cost, seconds from first request to last answer, speed; nothing under cells without calls."""
    assert shell("%tokens footer on").displays == []
    [line] = shell("ask('one'); ask('two words');").texts()
    rows = ledger.rows()
    cost = usd(sum((row["cost_usd"] for row in rows), Decimal(0)))
    written = sum(row["output_tokens"] for row in rows)
    assert re.fullmatch(
        rf"2 calls · 3 in · {written} out · {re.escape(cost)} · 0\.\d\d\d s · [\d,]+(\.\d)? tok/s", line
    )
    assert shell("1 + 1;").displays == []
    assert shell("%tokens footer").displays == []
    assert shell("ask();").texts()[0].startswith("1 call · 1 in · ")


def test_off(shell: Shell) -> None:
    """Until it is asked for, and after it is switched off, nothing is shown."""
    assert shell("ask();").displays == []
    shell("%tokens footer")
    shell("%tokens footer off")
    assert shell("ask();").displays == []


def test_as_html(shell: Shell) -> None:
    """In a notebook the line is small and pale, and plain text where no HTML is shown."""
    shell("%tokens footer")
    [shown] = shell("ask();").displays
    assert shown["text/plain"] in shown["text/html"]
    assert 'class="nbtokens-footer ' in shown["text/html"]


def test_a_measured_cell_has_its_block_only(shell: Shell) -> None:
    """Under a `%%tokens` cell stands its block of figures, and no line beside it."""
    shell("%tokens footer")
    assert shell("%%tokens\nask();").calls() == 1
    assert shell("%%tokens --quiet\nask();").displays == []


def test_a_cell_that_fails(shell: Shell) -> None:
    """What a cell called before its error is told, failed calls among it."""
    shell("%tokens footer")
    [line] = shell("ask()\ngpt.chat.completions.create(model='gpt-5', messages=5)", fails=True).texts()
    assert line.startswith("2 calls · 1 failed · 1 in · ")


def test_config(shell: Shell) -> None:
    """`%config NbTokens` lists the settings and sets them, with help."""
    printed = shell("%config NbTokens").out
    assert "NbTokens.footer" in printed
    assert "NbTokens.hide_cost" in printed
    assert "%tokens hide-cost" in printed
    shell("%config NbTokens.footer = True")
    shell("%config NbTokens.hide_cost = True")
    assert "$" not in shell("ask();").texts()[0]


def test_config_of_ipython(bare: Shell) -> None:
    """`c.NbTokens.footer = True` in IPython's configuration holds from the start."""
    bare.shell.config.NbTokens.footer = True
    bare("%load_ext nbtokens")
    assert len(bare("ask();").displays) == 1


def test_hide_cost(shell: Shell) -> None:
    """Overview, measured cells, cells, report, panel and footer show no money; tokens stay; and off again."""
    shell("ask('a'); ask('a');")
    shell("%tokens footer")
    shell("%tokens hide-cost")
    texts = [repr(shell(line).value) for line in ("%tokens", "%tokens cells", "%tokens report")]
    texts += shell("%%tokens\nask();").texts() + shell("ask();").texts()
    for text in texts:
        assert "$" not in text
    for text in texts[:-1]:
        assert "•••" in text
    assert " in · " in texts[-1]
    assert "•••" not in texts[-1]
    shell("%tokens hide-cost off")
    assert "$" in repr(shell("%tokens").value)


def test_hide_cost_of_new_prices(shell: Shell) -> None:
    """What the history would cost at today's prices is shown without money, too, in every format."""
    runtime().store.append(
        Record(
            v=1, kind="call", id=new_id(), started_at=datetime.now(UTC), model="gpt-5", input_tokens=7_000_000,
            usage_source="reported", status="ok", cost_usd=Decimal("123.45"), price_source="earlier",
        )
    )  # fmt: skip
    assert "$123.45" in shell("%tokens reprice").out
    shell("%tokens hide-cost")
    for words in ("", "--json", "--format html", "--yes"):
        printed = shell(f"%tokens reprice {words}").out
        assert "$" not in printed
        assert "gpt-5" in printed
        assert "•••" in printed


def test_hiding_changes_no_file(shell: Shell, ledger: Ledger) -> None:
    """The ledger and its summary keep their figures."""
    shell("%tokens hide-cost")
    shell("ask()")
    shell("%tokens report")
    assert "cost_usd" in ledger.only()
    assert "$" in (ledger.folder / "USAGE_SUMMARY.md").read_text()


@pytest.mark.parametrize("command", ["footer", "hide-cost"])
def test_another_word(command: str, shell: Shell) -> None:
    """They take `on` and `off`."""
    assert f"%tokens {command} takes `on` or `off`, not 'onn'" in shell(f"%tokens {command} onn", fails=True).err


def test_late_calls_land_in_no_other_cell(kernel: Kernel) -> None:
    """A thread's call that ends after its cell shows nothing under the cell that runs by then."""
    kernel("%tokens footer")
    kernel(
        "import contextvars\n"
        "release, asked = threading.Event(), threading.Event()\n"
        "def late():\n    release.wait(); ask(); asked.set()\n"
        "threading.Thread(target=contextvars.copy_context().run, args=(late,)).start()",
        cell_id="starts a late thread",
    )
    ran = kernel("release.set(); asked.wait(20)", cell_id="runs meanwhile")
    kernel("%tokens footer off")
    assert ran.displays == []
    assert len(kernel.rows("starts a late thread")) == 1
