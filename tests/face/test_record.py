"""Calls that were made by other means, recorded by hand."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pytest
from ledgers import ROOT

import nbtokens
from nbtokens.record import FIELDS, encode

if TYPE_CHECKING:
    from ledgers import Ledger

AT: Final = datetime(2026, 11, 20, 12, 30, 15, 123456, tzinfo=UTC)
SETTABLE: Final[dict[str, Any]] = {
    "ref": "01a2",
    "project": "p",
    "host": "h",
    "user": "u",
    "session": "s",
    "run_id": "r",
    "notebook": "n.ipynb",
    "cell": "c",
    "execution_count": 3,
    "attribution": "exact",
    "api": "own.api",
    "server_address": "gpu:80",
    "request_model": "asked",
    "response_id": "resp",
    "request_id": "req",
    "service_tier": "flex",
    "max_tokens": 9,
    "finish_reason": "stop",
    "stream": True,
    "cache_read_input_tokens": 4,
    "cache_creation_input_tokens": 2,
    "reasoning_output_tokens": 1,
    "usage_source": "estimated",
    "complete": False,
    "usage": {"own": {"shape": 1}},
    "http_status": 503,
    "error": "Oh",
    "retry_count": 1,
    "retry_after_s": 2.5,
    "time_to_first_chunk_s": 0.5,
    "request_hash": "ab",
    "prefix_hash": "cd",
    "input_cost_usd": Decimal("0.1"),
    "output_cost_usd": Decimal("0.2"),
    "other_cost_usd": Decimal("0.3"),
    "price_source": "mine",
    "scores": {"good": 0.5},
}
NAMED: Final = {
    "model", "input_tokens", "output_tokens", "provider", "operation", "call_type", "duration_s", "status", "cost_usd",
    "started_at", "id",
}  # fmt: skip
WORKED_OUT: Final = {"v", "kind", "total_tokens", "tags", "saved_cost_usd", "calls", "content", "sums"}


def test_every_argument(ledger: Ledger) -> None:
    """Each argument is its field; what has another name is a tag; the record returned is the row in the file."""
    made = nbtokens.record(
        model="my-model",
        input_tokens=1000,
        output_tokens=50,
        provider="own",
        operation="fetch",
        call_type="embeddings",
        duration_s=2,
        status="error",
        cost_usd=Decimal("0.0123"),
        started_at=AT,
        id="mine-1",
        team="blue",
        rounds=3,
        hard=False,
        topics=["a"],
    )
    row = ledger.only()
    expected = {
        "v": 1,
        "kind": "call",
        "id": "mine-1",
        "model": "my-model",
        "request_model": "my-model",
        "input_tokens": 1000,
        "output_tokens": 50,
        "total_tokens": 1050,
        "provider": "own",
        "operation": "fetch",
        "call_type": "embeddings",
        "duration_s": 2.0,
        "status": "error",
        "cost_usd": Decimal("0.0123"),
        "price_source": "user",
        "started_at": "2026-11-20T12:30:15.123456Z",
        "tags": {"team": "blue", "rounds": 3, "hard": False, "topics": ["a"]},
        "usage_source": "reported",
        "complete": True,
        "session": nbtokens.session().id,
    }
    assert {name: row.get(name) for name in expected} == expected
    assert json.loads(encode(made)) == json.loads(ledger.path.read_text())[0]
    assert next(iter(nbtokens.history().records())) == made


def test_as_little_as_possible(ledger: Ledger) -> None:
    """The model and its input are enough: a chat call, made now, that worked."""
    before = datetime.now(UTC)
    made = nbtokens.record(model="m", input_tokens=7)
    row = ledger.only()
    assert (row["output_tokens"], row["total_tokens"]) == (0, 7)
    assert (row["call_type"], row["status"], row["attribution"]) == ("chat", "ok", "none")
    assert before <= made.started_at <= datetime.now(UTC)
    assert not row.keys() & {"cost_usd", "price_source", "duration_s", "operation", "tags"}
    assert "=None" not in repr(made)  # a notebook shows it where it is a cell's last expression


@pytest.mark.parametrize("field", sorted(SETTABLE))
def test_other_fields(field: str, ledger: Ledger) -> None:
    """Every other field of the row can be given by its name."""
    made = nbtokens.record(model="m", input_tokens=9, output_tokens=9, cost_usd=1, **{field: SETTABLE[field]})
    assert getattr(made, field) == SETTABLE[field]
    assert ledger.only()[field] == SETTABLE[field]
    assert "tags" not in ledger.only()


def test_fields_are_all_thought_of() -> None:
    """A field of the row is an argument, can be given by name, or is worked out; each is in the documentation."""
    assert {*SETTABLE, *NAMED, *WORKED_OUT} == set(FIELDS)
    documented = (ROOT / "docs" / "record.md").read_text(encoding="utf-8")
    assert [field for field in FIELDS if f"| `{field}` |" not in documented] == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"model": ""}, "model"),
        ({"model": None}, "model"),
        ({"model": 7}, "model"),
        ({"input_tokens": -1}, "input_tokens is -1"),
        ({"input_tokens": 1.5}, "input_tokens is 1.5"),
        ({"input_tokens": "7"}, "input_tokens is '7'"),
        ({"input_tokens": True}, "input_tokens is True"),
        ({"output_tokens": None}, "output_tokens is None"),
        ({"cache_read_input_tokens": -5}, "cache_read_input_tokens is -5"),
        ({"status": "done"}, "'ok' or 'error'"),
        ({"cost_usd": -1}, "cost_usd is -1"),
        ({"cost_usd": "much"}, "cost_usd is 'much'"),
        ({"cost_usd": float("nan")}, "cost_usd is nan"),
        ({"cost_usd": "inf"}, "cost_usd is 'inf'"),
        ({"duration_s": -1}, "duration_s is -1"),
        ({"duration_s": "long"}, "duration_s is 'long'"),
        ({"duration_s": float("nan")}, "duration_s is nan"),
        ({"started_at": "yesterday"}, "started_at"),
        ({"started_at": 1795310545.0}, "started_at"),
        ({"id": 7}, "id"),
        ({"provider": 7}, "provider"),
        ({"operation": 7}, "operation"),
        ({"call_type": 7}, "call_type"),
        ({"attribution": "perhaps"}, "attribution"),
        ({"execution_count": "three"}, "execution_count"),
        ({"scores": {"good": "very"}}, "scores"),
        ({"kind": "run"}, "kind can't be set"),
        ({"v": 2}, "v can't be set"),
        ({"total_tokens": 7}, "total_tokens can't be set"),
        ({"tags": {"a": 1}}, "tags can't be set"),
        ({"calls": 1}, "calls can't be set"),
        ({"team": None}, "team"),
        ({"team": {"a": 1}}, "team"),
        ({"team": ...}, "team"),
        ({"team": [1]}, "team"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_input(arguments: dict[str, Any], says: str, ledger: Ledger) -> None:
    """What can't be what its name says is refused, in words that name it; nothing is recorded."""
    with pytest.raises((TypeError, ValueError), match=says):
        nbtokens.record(**{"model": "m", "input_tokens": 1, **arguments})
    assert ledger.rows(None) == []
    assert nbtokens.session().sums.calls == 0


@pytest.mark.parametrize("missing", ["model", "input_tokens"])
def test_missing(missing: str, ledger: Ledger) -> None:
    """The model and its input must be given."""
    arguments: dict[str, Any] = {"model": "m", "input_tokens": 1}
    del arguments[missing]
    with pytest.raises(TypeError, match=missing):
        nbtokens.record(**arguments)
    assert ledger.rows(None) == []


@pytest.mark.parametrize(
    ("cost", "expected"),
    [(0.1, "0.1"), ("0.10", "0.10"), (Decimal("1E-9"), "1E-9"), (3, "3"), (0, "0"), (1e-7, "1E-7")],
)
def test_cost_is_exact(cost: Any, expected: str, ledger: Ledger) -> None:  # noqa: ANN401 - several types
    """A cost is kept with its decimal digits, however it is given."""
    assert nbtokens.record(model="m", input_tokens=1, cost_usd=cost).cost_usd == Decimal(expected)
    assert nbtokens.history().sums.cost_usd == Decimal(expected)
    assert ledger.only()["cost_usd"] == Decimal(expected)


def test_cost_is_worked_out(ledger: Ledger) -> None:
    """Without a cost the price of the model holds, of that provider and tier, cached tokens and all."""
    made = nbtokens.record(
        model="gpt-5", input_tokens=2000, output_tokens=100, provider="openai", cache_read_input_tokens=1000
    )
    assert made.cost_usd == Decimal("0.00125") + Decimal("0.000125") + Decimal("0.001")
    assert made.price_source is not None
    assert made.price_source.startswith("genai-prices")
    half = nbtokens.record(model="gpt-5", input_tokens=2000, provider="openai", service_tier="batch")
    assert half.cost_usd == Decimal("0.00125")
    assert nbtokens.record(model="gpt-5", input_tokens=2000).cost_usd == Decimal("0.0025")
    assert nbtokens.record(model="gpt-5", input_tokens=2000, provider="no-such-provider").cost_usd is None
    assert nbtokens.record(model="x", input_tokens=2000, provider="ollama").cost_usd == 0


@pytest.mark.parametrize(
    "given",
    [AT, AT.astimezone(timezone(timedelta(hours=5, minutes=30))), AT.astimezone().replace(tzinfo=None)],
    ids=["UTC", "another zone", "local"],
)
def test_times(given: datetime, ledger: Ledger) -> None:
    """A time of any zone is kept as UTC; one without a zone is local."""
    assert nbtokens.record(model="m", input_tokens=1, started_at=given).started_at == AT
    assert ledger.only()["started_at"] == "2026-11-20T12:30:15.123456Z"


def test_place(ledger: Ledger) -> None:
    """It belongs to the operation around it, whose name and tags may be overridden."""
    with nbtokens.operation("around", a=1, b=1) as op:
        nbtokens.record(model="m", input_tokens=1)
        nbtokens.record(model="m", input_tokens=1, operation="own", b=2)
    assert [(row["operation"], row["tags"]) for row in ledger.rows()] == [
        ("around", {"a": 1, "b": 1}),
        ("own", {"a": 1, "b": 2}),
    ]
    assert op.calls == 2


def test_without_recording_switched_on(ledger: Ledger) -> None:
    """Recording by hand works while clients are not hooked, and hooks none."""
    nbtokens.record(model="m", input_tokens=1)
    nbtokens.enable()
    nbtokens.disable()
    nbtokens.record(model="m", input_tokens=1)
    assert len(ledger.rows()) == 2


def test_threads(ledger: Ledger) -> None:
    """Threads may record at once."""

    def work() -> None:
        for _ in range(20):
            nbtokens.record(model="m", input_tokens=1, cost_usd=0)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({row["id"] for row in ledger.rows()}) == 160
    assert nbtokens.session().sums.calls == 160
