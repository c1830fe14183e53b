"""`POST /records`: programs in other languages record their calls, each once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from server.conftest import ADAS, TOKEN, running

import nbtokens
from nbtokens.history.store import CHECKPOINT_NAME

if TYPE_CHECKING:
    from conftest import Ledger
    from server.conftest import Rest

ONE: dict[str, Any] = {
    "id": "a-1",
    "model": "gpt-5-mini",
    "started_at": "2026-11-20T10:00:00+01:00",
    "input_tokens": 1000,
}


def batch(*changes: dict[str, Any]) -> dict[str, Any]:
    """A batch of records, each with changes."""
    return {"records": [{**ONE, **change} for change in changes]}


def test_recorded_and_priced(rest: Rest, ledger: Ledger) -> None:
    """A record has what was posted, times in UTC, and the price of its model; a cost that is given is kept exactly."""
    posted = batch(
        {
            "provider": "openai",
            "output_tokens": 200,
            "operation": "answer",
            "tags": {"a": ["x"], "b": 1},
            "user": "eve",
        },
        {"id": "a-2", "cost_usd": 0.1000001, "duration_s": 1.5},
    )
    answer = rest.post("/records", json=posted)
    assert (answer.status_code, answer.json()["accepted"], answer.json()["duplicates"]) == (200, 2, 0)
    first, second = ledger.rows()
    assert (first["started_at"], first["total_tokens"], first["user"]) == ("2026-11-20T09:00:00Z", 1200, "eve")
    assert first["cost_usd"] == Decimal("0.00065")
    assert first["price_source"].startswith("genai-prices")
    assert (second["cost_usd"], second["price_source"]) == (Decimal("0.1000001"), "user")
    assert nbtokens.history().sums.calls == 2


def test_once_for_each_id(rest: Rest, ledger: Ledger) -> None:
    """What is posted again, in one batch or in many at once, or is in the ledger already, is not recorded again."""
    own = nbtokens.record(model="m", input_tokens=1)
    assert rest.post("/records", json=batch({}, {}, {"id": own.id})).json()["accepted"] == 1
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda n: rest.post("/records", json=batch({}, {"id": f"n-{n % 3}"})).json(), range(12))
        )
    assert sum(one["accepted"] for one in answers) == 3
    assert sorted(row["id"] for row in ledger.rows()) == sorted([own.id, "a-1", "n-0", "n-1", "n-2"])


@pytest.mark.parametrize(
    "change",
    [
        {"id": ""}, {"id": "x" * 129}, {"id": "a b"}, {"id": 'a","kind":"amend'}, {"id": None}, {"model": ""},
        {"model": "x" * 257}, {"model": "a\0b"}, {"user": "a\nb"}, {"tags": {"a\x7f": 1}},
        {"input_tokens": -1}, {"input_tokens": 2**60}, {"input_tokens": 1.5},
        {"input_tokens": "1"},
        {"input_tokens": True}, {"started_at": "yesterday"}, {"started_at": "2026-11-20T10:00:00"}, {"cost_usd": -1},
        {"started_at": "0001-01-01T00:00:00+23:00"}, {"cost_usd": "NaN"}, {"cost_usd": 1e300}, {"duration_s": -1},
        {"status": "fine"}, {"http_status": 0}, {"kind": "amend"}, {"v": 9}, {"usage": {}}, {"tags": {"a": {"b": 1}}},
        {"tags": {str(n): 1 for n in range(51)}}, {"content": {"prompt": "x"}},
    ],
)  # fmt: skip
def test_what_is_no_record(change: dict[str, Any], rest: Rest, ledger: Ledger) -> None:
    """One record that can't be one: nothing of the batch is recorded, and the answer says why."""
    answer = rest.post("/records", json=batch({"id": "good"}, change))
    assert answer.status_code == (400 if "+23:00" in str(change) else 422)  # a schema can't say where the calendar ends
    assert answer.json()["message"].startswith("Nothing was recorded: ")
    assert ledger.rows(None) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400), (b"{", 400), (b"\xff\xfe", 400), (b"[" * 100_000, 400), (b"[]", 422), (b"null", 422), (b"{}", 422),
        (b'{"records": []}', 422), (b'{"records": [1]}', 422), (b'{"records": [], "x": 1}', 422),
        (json.dumps(batch(*({"id": str(n)} for n in range(1001)))).encode(), 422), (b" " * 5_000_001, 413),
        (b'{"records": [{"id": "\\ud800"}]}', 400),
    ],
)  # fmt: skip
def test_what_is_no_batch(body: bytes, status: int, rest: Rest, ledger: Ledger) -> None:
    """A body that is no batch is refused, and so is one that is too long."""
    answer = rest.post("/records", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert answer.json()["message"]
    assert ledger.rows(None) == []


@pytest.mark.parametrize("chunked", [False, True])
def test_what_is_far_too_long(chunked: bool, rest: Rest, ledger: Ledger) -> None:  # noqa: FBT001 - a parameter
    """However long it is and however it is sent, the sender gets the answer; so does who may not post, or not there."""
    body = [b" " * 1_000_000] * 12
    for path, token, status in (("/records", TOKEN, 413), ("/records", None, 401), ("/none", TOKEN, 404)):
        content = iter(body) if chunked else b"".join(body)
        answer = rest.post(path, token, content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == status
        assert answer.json()["message"]
    assert rest.post("/records", json=batch({})).json()["accepted"] == 1
    assert len(ledger.rows()) == 1


def test_only_json(rest: Rest) -> None:
    """A form of some page elsewhere can't post."""
    answer = rest.post("/records", content=json.dumps(batch({})), headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415


def test_counts_that_contradict(rest: Rest, ledger: Ledger) -> None:
    """More cached than there is: recorded as it was said, and unpriced."""
    rest.post("/records", json=batch({"provider": "openai", "cache_read_input_tokens": 2000}))
    assert "cost_usd" not in ledger.only()


def test_ones_own_calls(rest: Rest, ledger: Ledger) -> None:
    """Who sees their own calls only records their own only."""
    assert rest.post("/records", ADAS, json=batch({"user": "bob"})).status_code == 403
    assert rest.post("/records", ADAS, json=batch({})).json()["accepted"] == 1
    assert ledger.only()["user"] == "ada"


def test_a_ledger_that_is_not_ours(rest: Rest, ledger: Ledger) -> None:
    """Where the history can't be written, the sender is told to come again, and the file is left alone."""
    ledger.path.write_text('{"mine": 1}')
    answer = rest.post("/records", json=batch({}))
    assert answer.status_code == 503
    assert "not a usage history" in answer.json()["message"]
    assert ledger.path.read_text() == '{"mine": 1}'


def test_what_was_counted_is_kept(rest: Rest, ledger: Ledger) -> None:
    """What programs have posted is not counted again after a restart; where that can't be kept it is."""
    for first in range(0, 3000, 1000):
        ids = [{"id": str(first + number), "cost_usd": 1} for number in range(1000)]
        assert rest.post("/records", json=batch(*ids)).json()["accepted"] == 1000
    period = "start_date=2026-11-20&end_date=2026-11-20"

    def calls(of: Rest) -> int:
        count: int = of.get(f"/token-usage?{period}").json()["summary"]["totals"]["total_operations"]
        return count

    assert calls(rest) == 3000
    checkpoint, lines = ledger.folder / CHECKPOINT_NAME, ledger.path.read_bytes().split(b"\n")
    ledger.path.write_bytes(b"\n".join([*lines[:3], *(b" " * len(line) for line in lines[3:-5]), *lines[-5:]]))
    with running() as restarted:
        assert calls(restarted) == 3000
    checkpoint.unlink()
    checkpoint.mkdir()
    with running() as restarted:
        assert calls(restarted) < 10
