"""Responses and cache hits that are recorded by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from clients import SDKS
from servers import as_json

import nbtokens

if TYPE_CHECKING:
    from ledgers import Ledger
    from servers import ScriptedServer

REPORT: Any = {
    "id": "chatcmpl-7",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-5",
    "choices": [],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100, "own": {"key": 1}},
}
COST = Decimal("0.00225")


def test_record_response(ledger: Ledger) -> None:
    """A response is a call like any other: priced, with the provider's usage as it was, and with fields and tags."""
    made = nbtokens.record_response(REPORT, operation="ask", duration_s=2, http_status=200, team="blue")
    row = ledger.only()
    assert (row["kind"], row["model"], row["response_id"]) == ("call", "gpt-5", "chatcmpl-7")
    assert (row["cost_usd"], row["usage_source"], row["usage"]) == (COST, "reported", REPORT["usage"])
    assert (row["operation"], row["duration_s"], row["http_status"], row["tags"]) == ("ask", 2.0, 200, {"team": "blue"})
    assert made.tokens_per_second == 50


def test_arguments_win(ledger: Ledger) -> None:
    """What is given by hand stands in place of what the response says."""
    row = nbtokens.record_response(REPORT, model="mine", provider="own", call_type="rerank", cost_usd="0.5")
    assert (row.model, row.provider, row.call_type, row.cost_usd) == ("mine", "own", "rerank", Decimal("0.5"))


def test_once(ledger: Ledger) -> None:
    """A response that is recorded already is not counted again; its record is given back."""
    first = nbtokens.record_response(REPORT)
    assert nbtokens.record_response(REPORT) is first
    assert len(ledger.rows()) == 1


def test_seen_by_http(server: ScriptedServer, recording: Ledger) -> None:
    """The same holds for a call that was seen on its way."""
    server.will(as_json(REPORT))
    with SDKS[0].client(server.url) as client:
        made = nbtokens.record_response(SDKS[0].ask(client))
    assert made.api == "openai.chat"
    assert recording.only()["id"] == made.id


def test_without_an_id(ledger: Ledger) -> None:
    """Responses without an id are calls of their own."""
    for _ in range(2):
        nbtokens.record_response({"model": "m", "usage": {"input_tokens": 1, "output_tokens": 1}})
    assert len(ledger.rows()) == 2


@pytest.mark.parametrize(
    ("response", "arguments", "says"),
    [
        ("text", {}, "This str reports no usage.*nbtokens.record"),
        ({"usage": {"input_tokens": 1}}, {}, "This dict names no model"),
        (REPORT, {"model": ""}, "model is ''"),
        (REPORT, {"duration_s": -1}, "duration_s is -1"),
        (REPORT, {"team": object()}, "team"),
    ],
)
def test_bad_input(response: Any, arguments: dict[str, Any], says: str, ledger: Ledger) -> None:  # noqa: ANN401
    """What can't be recorded is refused in words that say what to do; nothing is recorded."""
    with pytest.raises((TypeError, ValueError), match=says):
        nbtokens.record_response(response, **arguments)
    assert ledger.rows(None) == []


def test_cache_hit(ledger: Ledger) -> None:
    """A hit costs nothing, says what it saved, is in no figure of the calls, and belongs to the operation around it."""
    with nbtokens.operation("ask") as op:
        made = nbtokens.record_cache_hit(
            model="gpt-5", input_tokens=1000, output_tokens=100, provider="openai", duration_s=0.001, team="blue"
        )
    (row,) = ledger.rows("cache_hit")
    assert (row["cost_usd"], row["saved_cost_usd"], row["total_tokens"]) == (0, COST, 1100)
    assert (row["operation"], row["tags"], row["duration_s"]) == ("ask", {"team": "blue"}, 0.001)
    assert made.tokens_per_second is None
    assert op.calls == 0
    sums = nbtokens.history().sums
    assert (sums.calls, sums.total_tokens, sums.cost_usd, sums.duration_s) == (0, 0, 0, 0)
    assert (sums.cache_hits, sums.saved_tokens, sums.saved_cost_usd) == (1, 1100, COST)
    assert sums.tokens_per_second is None
    assert nbtokens.session().stats()["tokens_per_second"]["count"] == 0


def test_cache_hit_of_unknown_size(ledger: Ledger) -> None:
    """Where it is not known what a hit saved, nothing is said of it."""
    nbtokens.record_cache_hit(model="gpt-5")
    row = ledger.only()
    assert row["usage_source"] == "none"
    assert not row.keys() & {"input_tokens", "output_tokens", "saved_cost_usd", "price_source"}


def test_cache_hit_with_its_saving(ledger: Ledger) -> None:
    """The saving may be given."""
    assert nbtokens.record_cache_hit(model="m", saved_cost_usd="0.25").saved_cost_usd == Decimal("0.25")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"model": ""}, "model is ''"),
        ({"input_tokens": -1}, "input_tokens is -1"),
        ({"saved_cost_usd": "much"}, "saved_cost_usd is 'much'"),
        ({"kind": "call"}, "kind can't be set"),
    ],
)
def test_bad_cache_hit(arguments: dict[str, Any], says: str, ledger: Ledger) -> None:
    """What can't be what its name says is refused; nothing is recorded."""
    with pytest.raises((TypeError, ValueError), match=says):
        nbtokens.record_cache_hit(**{"model": "m", **arguments})
    assert ledger.rows(None) == []
