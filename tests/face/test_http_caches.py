"""Answers that a cache inside of an HTTP client gives: they are no calls, and what they saved is counted apart."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from clients import CHAT_REQUEST, entered, items, settled
from servers import as_json

import nbtokens

if TYPE_CHECKING:
    from pathlib import Path

    from clients import Http
    from ledgers import Ledger
    from servers import ScriptedServer

ANSWER: Any = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-5-2025-08-07",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Rayleigh."}}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
}
COST = Decimal("0.00225")
"""1,000 tokens of input and 100 of output at gpt-5's prices."""


@pytest.fixture
def priced(ledger: Ledger) -> None:
    """The server's calls cost what OpenAI's cost."""
    (ledger.folder.parent / "nbtokens.toml").write_text('[hosts."127.0.0.1"]\nprovider = "openai"\n', encoding="utf-8")


def check(ledger: Ledger) -> None:
    """One call and one hit: the hit costs nothing, says what it saved, and is in no figure of the calls."""
    call, hit = ledger.rows(None)
    assert (call["kind"], hit["kind"]) == ("call", "cache_hit")
    assert "saved_cost_usd" not in call
    assert call["cost_usd"] == hit["saved_cost_usd"] == COST
    assert (hit["cost_usd"], hit["total_tokens"], hit["model"]) == (0, 1100, "gpt-5-2025-08-07")
    assert hit["price_source"] == call["price_source"]
    assert not hit.keys() & {"input_cost_usd", "output_cost_usd", "other_cost_usd"}
    for sums in (nbtokens.session().sums, nbtokens.history().sums):
        assert (sums.calls, sums.total_tokens, sums.cost_usd) == (1, 1100, COST)
        assert (sums.cache_hits, sums.saved_tokens, sums.saved_cost_usd) == (1, 1100, COST)
    (hit_record,) = [record for record in nbtokens.history().records() if record.kind == "cache_hit"]
    assert hit_record.tokens_per_second is None


@pytest.mark.usefixtures("priced")
@pytest.mark.parametrize("way", ["plain", "streamed"])
async def test_hishel(http: Http, way: str, server: ScriptedServer, ledger: Ledger, tmp_path: Path) -> None:
    """What hishel gives from its cache is a hit, through httpx and httpx2, sync and async, plain and streamed."""
    hishel = pytest.importorskip("hishel")
    if not hasattr(hishel, "FilterPolicy"):
        pytest.skip("hishel 2 stores no answers to POST, hishel 1 does")
    module = pytest.importorskip(f"hishel.{http.module.__name__}")
    server.will(as_json(ANSWER, cache_control="max-age=3600, public"))
    nbtokens.enable()
    kind = "Async" if http.asynchronous else ""
    storage = getattr(hishel, f"{kind or 'Sync'}SqliteStorage")(database_path=tmp_path / "cache.db")
    transport = getattr(module, f"{kind or 'Sync'}CacheTransport")(
        getattr(http.module, f"{kind}HTTPTransport")(), storage, hishel.FilterPolicy()
    )
    async with entered(http.client(transport=transport)) as client:
        for _ in range(2):
            request = client.build_request("POST", f"{server.url}/v1/chat/completions", json=CHAT_REQUEST)
            response = await settled(client.send(request, stream=way == "streamed"))
            body = b"".join([chunk async for chunk in items(http.method(response, "iter_bytes")())])
            await settled((response.aclose if http.asynchronous else response.close)())
            assert json.loads(body) == ANSWER
    assert len(server.asked) == 1
    check(ledger)
