"""Whatever numbers a line of the history holds, it can be counted, shown and put into a table."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nbtokens.history.store import Store
from nbtokens.record import new_id
from nbtokens.reports.html import html
from nbtokens.reports.overview import overview
from nbtokens.reports.text import text
from nbtokens.tally import Tally
from nbtokens.views import History, Session

_COUNTS = st.integers(-(2**70), 2**70) | st.sampled_from([0, 2**63 - 1, 2**63, 2**64])
_FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([1e-320, 1e308, 0.0, -1.0])
_ROWS = st.fixed_dictionaries(
    {
        "v": st.just(1),
        "kind": st.just("call"),
        "id": st.uuids().map(str),
        "started_at": st.datetimes().map(lambda at: at.isoformat() + "Z"),
    },
    optional={
        "status": st.sampled_from(["ok", "error", "cancelled"]),
        "model": st.text(max_size=5),
        "execution_count": _COUNTS,
        "input_tokens": _COUNTS,
        "output_tokens": _COUNTS,
        "total_tokens": _COUNTS,
        "reasoning_output_tokens": _COUNTS,
        "http_status": _COUNTS,
        "duration_s": _FLOATS,
        "time_to_first_chunk_s": _FLOATS,
        "cost_usd": _FLOATS,
        "tags": st.dictionaries(st.text(max_size=3), _FLOATS | _COUNTS, max_size=2),
    },
)


@given(rows=st.lists(_ROWS, min_size=1, max_size=4))
def test_every_line_can_be_shown(rows: list[dict[str, Any]]) -> None:
    """Totals, page, overview and frame can be made of any line that is a record; none hides the others."""
    with TemporaryDirectory() as folder:
        store = Store(Path(folder), print)
        good = {
            "v": 1,
            "kind": "call",
            "id": new_id(),
            "started_at": "2026-01-01T00:00:00Z",
            "status": "ok",
            "model": "good",
        }
        store.journal.path.write_text("[\n" + ",\n".join(map(json.dumps, [*rows, good])) + "\n]\n")
        history = History(store)
        records = list(history.records())
        assert records[-1].id == good["id"]
        assert len(history.frame()) == len(records)
        assert history.totals.by("model")["good"].calls >= 1
        assert "| good " in history.summary()
        store.checkpoint(force=True)
        assert History(Store(Path(folder), print)).sums == history.sums
        cell, session = Tally(), Session(lambda: store, "s", records[-1].started_at)
        for record in records:
            cell.add(record)
            session.add(record)
        report = overview(cell, session, history)
        assert "good" in text(report)
        assert "good" in html(report)
