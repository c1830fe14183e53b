"""Price data that comes late: calls don't wait for it, and get their price once it is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from servers import as_json

if TYPE_CHECKING:
    from ledgers import Ledger, Script
    from servers import ScriptedServer

SLOW: Final = """
    import atexit, importlib.machinery, sys, threading, time
    import httpx

    released = threading.Event()

    class SlowLoader(importlib.machinery.SourceFileLoader):
        def exec_module(self, module):
            released.wait(30)
            super().exec_module(module)

    class SlowFinder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "genai_prices":
                spec = importlib.machinery.PathFinder.find_spec(name, path)
                spec.loader = SlowLoader(name, spec.origin)
                return spec

    sys.meta_path.insert(0, SlowFinder)
    import nbtokens
    from nbtokens.runtime import runtime

    url = sys.argv[1]
    nbtokens.enable()

    def ask(model="gpt-5"):
        return httpx.post(url, json={"model": model, "messages": [{"role": "user", "content": "Hi"}]})

    def unpriced():
        return (nbtokens.session().sums.unpriced_calls, nbtokens.history().sums.unpriced_calls)

    def wait_for_prices():
        released.set()
        for _ in range(1000):
            if not runtime().meter.awaits_prices:
                break
            time.sleep(0.01)
        runtime().settle()
"""
PRICE: Final = "0.0000625"
"""That of 10 tokens in and 5 out, of gpt-5."""


@pytest.fixture
def url(server: ScriptedServer, ledger: Ledger) -> str:
    """A gateway to OpenAI on this machine."""
    Path("nbtokens.toml").write_text(f'[hosts."{server.address}"]\nprovider = "openai"\n')
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    server.will(as_json({"model": "gpt-5", "choices": [], "usage": usage}))
    return server.url + "/v1/chat/completions"


def test_folded_in_everywhere(url: str, script: Script, ledger: Ledger) -> None:
    """Each late price is a row that says `amend`; history, session, table and summary show the call with its price."""
    source = """
    from decimal import Decimal

    for _ in range(3):
        ask()
    assert unpriced() == (3, 3), unpriced()
    assert nbtokens.session().sums.cost_usd == 0
    wait_for_prices()
    assert unpriced() == (0, 0), unpriced()
    cost = 3 * Decimal("0.0000625")
    assert nbtokens.history().sums.cost_usd == nbtokens.session().sums.cost_usd == cost
    records = list(nbtokens.history().records())
    assert [record.kind for record in records] == ["call"] * 3
    assert all(record.price_source.startswith("genai-prices") for record in records)
    assert [record.cost_usd for record in nbtokens.session().records()] == [cost / 3] * 3
    frame = nbtokens.history().frame()
    assert list(frame["cost_usd"]) == [float(cost / 3)] * 3
    summary = (nbtokens.history().path.parent / "USAGE_SUMMARY.md").read_text()
    assert "$0.00019" in summary, summary
    ask()
    assert nbtokens.history().sums.cost_usd == Decimal("0.00025")
    """
    script(SLOW + source, url)
    rows, amendments = ledger.rows(), ledger.rows("amend")
    assert [row.get("cost_usd") is None for row in rows] == [True, True, True, False]
    assert [row["ref"] for row in amendments] == [row["id"] for row in rows[:3]]
    assert {str(row["cost_usd"]) for row in amendments} == {PRICE}
    assert "$0.00025" in (ledger.folder / "USAGE_SUMMARY.md").read_text()


def test_at_exit(url: str, script: Script, ledger: Ledger) -> None:
    """A process that ends before the data is there waits for it a moment, and leaves the price behind."""
    script(SLOW + "\n    atexit.register(released.set)\n    ask()\n", url)
    assert [str(row["cost_usd"]) for row in ledger.rows("amend")] == [PRICE]


def test_never(url: str, script: Script, ledger: Ledger) -> None:
    """A process whose price data never comes ends all the same; its calls are unpriced."""
    script(SLOW + "\n    ask()\n    ask()\n", url)
    assert [row.get("cost_usd") for row in ledger.rows(None)] == [None, None]


def test_switched_off_first(url: str, script: Script, ledger: Ledger) -> None:
    """The same when recording is switched off before the data is there."""
    script(SLOW + "\n    ask()\n    released.set()\n    nbtokens.disable()\n", url)
    assert [str(row["cost_usd"]) for row in ledger.rows("amend")] == [PRICE]


def test_unknown_model(url: str, script: Script, ledger: Ledger, server: ScriptedServer) -> None:
    """What has no price when the data is there gets no row."""
    server.will(as_json({"model": "no-such-model", "choices": [], "usage": {"prompt_tokens": 1}}))
    script(SLOW + "\n    ask('no-such-model')\n    wait_for_prices()\n    assert unpriced() == (1, 1)\n", url)
    assert ledger.rows("amend") == []


def test_in_an_operation(url: str, script: Script) -> None:
    """An operation shows the price of its calls once it is known."""
    source = """
    with nbtokens.operation("x") as op:
        ask()
        assert (op.unpriced_calls, op.cost_usd) == (1, None)
        wait_for_prices()
        assert (op.unpriced_calls, str(op.cost_usd)) == (0, "0.0000625"), op
    """
    script(SLOW + source, url)


def test_not_writable(url: str, script: Script) -> None:
    """The same figures from memory, where the ledger can't be written."""
    Path("a-file").write_text("")
    source = """
    ask()
    wait_for_prices()
    assert unpriced() == (0, 0), unpriced()
    assert [str(record.cost_usd) for record in nbtokens.history().records()] == ["0.0000625"]
    assert str(nbtokens.history().sums.cost_usd) == "0.0000625"
    """
    script(SLOW + source, url, NBTOKENS_DIR="a-file")
