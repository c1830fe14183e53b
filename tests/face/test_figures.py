"""What the session and the history say."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pandas as pd
from clients import SDKS

import nbtokens
from nbtokens.record import FIELDS

if TYPE_CHECKING:
    from ledgers import Ledger, Script

    from nbtokens.demo.endpoint import Endpoint

OLD: Final = """
    import nbtokens

    nbtokens.record(model="old", input_tokens=10, output_tokens=10, cost_usd="0.1", duration_s=2)
"""


def three_calls() -> None:
    """Two calls that worked, of different sizes, and one that failed."""
    for tokens, name in ((10, "a"), (30, "b")):
        nbtokens.record(
            model="m", input_tokens=tokens, output_tokens=tokens, cost_usd="0.1", duration_s=2, operation=name
        )
    nbtokens.record(model="n", input_tokens=5, status="error", cost_usd=0)


def test_session_and_history(script: Script, ledger: Ledger) -> None:
    """The session holds this process's calls, the history those of all."""
    script(OLD)
    three_calls()
    session, history = nbtokens.session(), nbtokens.history()
    assert (session.sums.calls, history.sums.calls) == (3, 4)
    assert (session.sums.failed_calls, session.sums.input_tokens, session.sums.output_tokens) == (1, 45, 40)
    assert (session.sums.cost_usd, history.sums.cost_usd) == (Decimal("0.2"), Decimal("0.3"))
    assert list(session.totals.by("model")) == ["m", "n"]
    assert list(history.totals.by("model")) == ["m", "old", "n"]
    assert [record.model for record in session.records()] == ["m", "m", "n"]
    assert [record.model for record in history.records()] == ["old", "m", "m", "n"]
    assert history.path == ledger.path


def test_stats() -> None:
    """Statistics are over the calls that succeeded, of one model or operation if asked for."""
    three_calls()
    for view in (nbtokens.session(), nbtokens.history()):
        tokens = view.stats()["total_tokens"]
        assert (tokens["count"], tokens["avg"], tokens["min"], tokens["max"], tokens["sum"]) == (2, 40, 20, 60, 80)
        assert view.stats(operation="b")["tokens_per_second"]["avg"] == 15
        assert view.stats(model="n")["total_tokens"]["count"] == 0
        assert {"count", "avg", "min", "max", "p50", "p95", "p99", "sum"} == set(tokens)


def test_frame() -> None:
    """A table has one row a call and one column a field, with types to calculate with."""
    three_calls()
    for view in (nbtokens.session(), nbtokens.history()):
        frame = view.frame()
        assert list(frame.columns) == [*FIELDS, "tokens_per_second"]
        assert frame["input_tokens"].sum() == 45
        assert frame.groupby("model", observed=True)["cost_usd"].sum().round(9).to_dict() == {"m": 0.2, "n": 0.0}
        assert str(frame["started_at"].dtype).startswith("datetime64[")
        assert frame["started_at"].dt.tz is not None
        assert frame["operation"].isna().tolist() == [False, False, True]
        assert frame["tokens_per_second"].tolist()[:2] == [5.0, 15.0]


def test_empty() -> None:
    """Before the first call everything is there, and empty."""
    for view in (nbtokens.session(), nbtokens.history()):
        assert (view.sums.calls, view.sums.cost_usd, list(view.records())) == (0, 0, [])
        assert len(view.frame()) == 0
        assert view.stats()["total_tokens"]["count"] == 0
        assert "0 calls" in repr(view)
    assert isinstance(nbtokens.history().summary(), str)


def test_reset() -> None:
    """Resetting a session forgets what was, in it alone."""
    three_calls()
    nbtokens.session().reset(datetime.now(UTC))
    assert (nbtokens.session().sums.calls, nbtokens.history().sums.calls) == (0, 3)
    assert list(nbtokens.session().records()) == []
    nbtokens.record(model="m", input_tokens=1)
    assert (nbtokens.session().sums.calls, nbtokens.history().sums.calls) == (1, 4)
    assert len(list(nbtokens.session().records())) == 1


def test_representations() -> None:
    """What they show when nothing else is asked of them."""
    three_calls()
    for view in (nbtokens.history(), nbtokens.session()):
        assert repr(view).endswith(": 3 calls, 45 in, 40 out, $0.2000>")


def test_file_opens_everywhere(simulated: Endpoint, recording: Ledger) -> None:
    """The history's file is JSON after every call, with one call a line, for `json` and for pandas."""
    with SDKS[0].client(simulated.base_url) as client:
        for number in range(1, 4):
            SDKS[0].ask(client)
            text = recording.path.read_text()
            assert len(json.loads(text)) == len(pd.read_json(recording.path)) == number
            lines = [line for line in text.splitlines() if line.startswith("{")]
            assert len(lines) == number
            assert all(len(line) < 1200 for line in lines)


def test_totals_are_the_callers_own() -> None:
    """Totals that were asked for don't change with later calls."""
    three_calls()
    before = nbtokens.session().totals, nbtokens.history().totals
    three_calls()
    assert [totals.sums().calls for totals in before] == [3, 3]
