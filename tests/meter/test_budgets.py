"""Limits on money and tokens: asked before a request is sent, so that what would pass one is never sent."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest
from priced import ANSWER, PRICES, REQUEST
from servers import as_json

import nbtokens
from nbtokens import BudgetExceeded, ConfigError
from nbtokens.limits import make_limit
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from ledgers import Ledger
    from servers import ScriptedServer


@pytest.fixture(autouse=True)
def without_limits() -> Any:  # noqa: ANN401 - a generator
    yield
    runtime().budgets.remove()


@pytest.fixture
def priced(ledger: Ledger, server: ScriptedServer) -> str:
    """The URL of a model that costs a dollar a call, while recording is on."""
    (ledger.folder.parent / "nbtokens.toml").write_text(PRICES, encoding="utf-8")
    nbtokens.enable()
    server.will(as_json(ANSWER))
    return f"{server.url}/v1"


def call(url: str) -> int:
    return httpx.post(f"{url}/chat/completions", json=REQUEST, timeout=30).status_code


def test_stops_before_the_limit_is_passed(priced: str, server: ScriptedServer) -> None:
    """Two calls fit into two dollars and a half, the third is not sent, and the error says why and what to do."""
    nbtokens.budget("2.50")
    assert [call(priced), call(priced)] == [200, 200]
    with pytest.raises(BudgetExceeded) as stopped:
        call(priced)
    assert len(server.asked) == 2
    said = str(stopped.value)
    assert all(part in said for part in ("$2.0000 of $2.50", "about $1.0000", "%tokens budget", "not sent"))
    assert nbtokens.session().sums.calls == 2


def test_clients_do_not_try_again(priced: str, server: ScriptedServer) -> None:
    """An SDK takes the error neither for one of its own nor for a reason to try again."""
    with openai.OpenAI(base_url=priced, api_key="none", max_retries=3) as client:
        with nbtokens.budget(0.5), pytest.raises(BudgetExceeded):
            client.chat.completions.create(**REQUEST)
        assert not server.asked
        assert client.chat.completions.create(**REQUEST).usage


async def test_asynchronous_clients(priced: str, server: ScriptedServer) -> None:
    """It is the same in an event loop, and in the tasks of one."""
    nbtokens.budget(1.5)
    async with openai.AsyncOpenAI(base_url=priced, api_key="none", max_retries=3) as client:
        results = await asyncio.gather(
            *(client.chat.completions.create(**REQUEST) for _ in range(4)), return_exceptions=True
        )
    assert sum(isinstance(one, BudgetExceeded) for one in results) == 3
    assert len(server.asked) == 1


def test_calls_in_flight_count(priced: str, server: ScriptedServer) -> None:
    """Calls made at the same time don't pass the limit together: each counts with its estimate until it has ended."""
    nbtokens.budget(3)

    def attempt(_: int) -> bool:
        try:
            call(priced)
        except BudgetExceeded:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        sent = sum(pool.map(attempt, range(16)))
    assert sent == len(server.asked) == 3
    assert nbtokens.session().sums.cost_usd == 3


def test_tokens(priced: str) -> None:
    """Tokens are limited the same way, for models that cost nothing too."""
    nbtokens.budget(tokens="2k")
    call(priced)
    with pytest.raises(BudgetExceeded, match=r"1,100 of 2,000 tokens"):
        call(priced)


def test_what_costs_nothing_is_never_stopped(ledger: Ledger, server: ScriptedServer) -> None:
    """A limit of no money at all lets free calls through."""
    host = server.url.removeprefix("http://")
    (ledger.folder.parent / "nbtokens.toml").write_text(f'[hosts."{host}"]\nfree = true\n', encoding="utf-8")
    nbtokens.enable()
    server.will(as_json(ANSWER))
    nbtokens.budget(0)
    assert call(f"{server.url}/v1") == 200


@pytest.mark.parametrize("unpriced", ["warn", "stop"])
def test_what_has_no_price(unpriced: str, recording: Ledger, server: ScriptedServer) -> None:
    """A call whose price nobody knows is sent and told of, or stopped, as the user says."""
    del recording
    server.will(as_json(ANSWER))
    nbtokens.budget(5, unpriced=unpriced)
    request = {**REQUEST, "model": "gpt-5"}
    if unpriced == "stop":
        with pytest.raises(BudgetExceeded, match="price is not known"):
            httpx.post(f"{server.url}/v1/chat/completions", json=request)
        return
    httpx.post(f"{server.url}/v1/chat/completions", json=request)
    assert any("price is not known" in sentence for sentence in runtime().notices)


def test_what_has_no_price_and_is_stopped(recording: Ledger, server: ScriptedServer) -> None:
    """A call without a price that is stopped for what was spent before is not said to be outside of the limit."""
    del recording
    nbtokens.budget(5)
    nbtokens.record(model="m", input_tokens=1, cost_usd=6)
    with pytest.raises(BudgetExceeded):
        httpx.post(f"{server.url}/v1/chat/completions", json={**REQUEST, "model": "gpt-5"})
    assert not any("price is not known" in sentence for sentence in runtime().notices)


def test_warning_near_the_limit(priced: str) -> None:
    """At its share of the limit the user is told, once; with `warn`, calls go on behind it."""
    nbtokens.budget(2, warn_at="50%", then="warn")
    for _ in range(4):
        call(priced)
    near = [sentence for sentence in runtime().notices if "near its limit of $2.00 per session" in sentence]
    passed = [sentence for sentence in runtime().notices if "has passed its limit" in sentence]
    assert (len(near), len(passed)) == (1, 1)


@pytest.mark.parametrize("per", ["day", "month"])
def test_periods_of_the_history(per: str, priced: str) -> None:
    """What was spent today, or in this month, counts: by this kernel and by the others that share the ledger."""
    call(priced)
    nbtokens.session().reset(nbtokens.session().started_at)
    nbtokens.budget("1.50", per=per)
    with pytest.raises(BudgetExceeded):
        call(priced)
    assert nbtokens.budget("2.50", per=per).limit.per == per
    assert call(priced) == 200


def test_waiting_for_room(priced: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rate lets a call wait until the minute has room for it."""
    monkeypatch.setattr("nbtokens.budgets._MINUTE", 0.3)
    nbtokens.budget(1, per="minute", then="wait")
    assert [call(priced), call(priced), call(priced)] == [200, 200, 200]
    started = [record.started_at for record in nbtokens.history().records()]
    assert all((after - before).total_seconds() >= 0.25 for before, after in pairwise(started))


def test_usual_output(priced: str) -> None:
    """Without `max_tokens`, a call is taken to write what such calls have written."""
    call(priced)
    nbtokens.budget("1.5")
    request = {key: value for key, value in REQUEST.items() if key != "max_tokens"}
    with pytest.raises(BudgetExceeded, match=r"about \$1\.0"):
        httpx.post(f"{priced}/chat/completions", json=request)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"cost_usd": "much"},
        {"cost_usd": -1},
        {"tokens": "many"},
        {"cost_usd": 1, "per": "year"},
        {"cost_usd": 1, "then": "explode"},
        {"cost_usd": 1, "then": "wait"},
        {"cost_usd": 1, "warn_at": "200%"},
        {"cost_usd": 1, "unpriced": "wait"},
    ],
    ids=str,
)
def test_what_cannot_be_a_limit(said: dict[str, Any]) -> None:
    """What can't be a limit gets an error that says so, and sets none."""
    with pytest.raises(ConfigError):
        nbtokens.budget(**said)
    assert not runtime().budgets.limits


@pytest.mark.parametrize(
    ("said", "cost_usd", "tokens"), [("$1,000.50", "1000.50", None), (None, None, 200_000), (0.1, "0.1", None)]
)
def test_how_amounts_are_written(said: Any, cost_usd: str | None, tokens: int | None) -> None:  # noqa: ANN401
    """Amounts are read as people write them."""
    limit = make_limit(said, tokens="200k" if tokens else None)
    assert (limit.cost_usd, limit.tokens) == (None if cost_usd is None else Decimal(cost_usd), tokens)
