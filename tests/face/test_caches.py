"""Caches that answer before a client is asked: what they give is a hit, and what they don't find is a call."""

from __future__ import annotations

from decimal import Decimal
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from clients import CHAT_REQUEST, MESSAGES
from servers import as_json

import nbtokens
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from ledgers import Ledger
    from servers import ScriptedServer

ANSWER: Any = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-5",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Rayleigh."}}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
}
COST = Decimal("0.00225")


@pytest.fixture
def openai_server(server: ScriptedServer, ledger: Ledger) -> ScriptedServer:
    """A server whose calls cost what OpenAI's cost, with recording on."""
    (ledger.folder.parent / "nbtokens.toml").write_text('[hosts."127.0.0.1"]\nprovider = "openai"\n', encoding="utf-8")
    server.will(as_json(ANSWER))
    nbtokens.enable()
    runtime().meter.wait_for_prices(10)
    return server


def check(server: ScriptedServer, ledger: Ledger) -> None:
    """One call and one hit, which says what it saved."""
    assert len(server.asked) == 1
    (call,), (hit,) = ledger.rows(), ledger.rows("cache_hit")
    assert call["cost_usd"] == hit["saved_cost_usd"] == COST
    assert (hit["cost_usd"], hit["input_tokens"], hit["output_tokens"], hit["model"]) == (0, 1000, 100, "gpt-5")
    assert hit["call_type"] == "chat"
    sums = nbtokens.session().sums
    assert (sums.calls, sums.cache_hits, sums.cost_usd, sums.saved_cost_usd) == (1, 1, COST, COST)


def test_requests_cache(openai_server: ScriptedServer, ledger: Ledger) -> None:
    """An answer of requests-cache is a hit; what is no call of a model is none, in the cache or not."""
    requests_cache = pytest.importorskip("requests_cache")
    with requests_cache.CachedSession(backend="memory", allowable_methods=["GET", "POST"]) as session:
        for path in ("/v1/chat/completions", "/v1/models"):
            for _ in range(2):
                response = session.request(
                    "POST" if "chat" in path else "GET", openai_server.url + path, json=CHAT_REQUEST
                )
                assert response.json() == ANSWER
    assert response.from_cache
    assert [asked.method for asked in openai_server.asked] == ["POST", "GET"]
    openai_server.asked.pop()
    check(openai_server, ledger)


@pytest.mark.filterwarnings("ignore")  # litellm's own
def test_litellm(openai_server: ScriptedServer, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer of litellm's cache is a hit; callbacks stay as they were."""
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    litellm = pytest.importorskip("litellm")
    monkeypatch.setattr(litellm, "cache", litellm.Cache(type="local"))
    before = [list(litellm.success_callback), list(litellm.callbacks)]
    with import_module("openai").OpenAI(base_url=f"{openai_server.url}/v1", api_key="none") as client:
        for _ in range(2):
            answer = litellm.completion(model="openai/gpt-5", messages=MESSAGES, client=client)
            assert answer.choices[0].message.content == "Rayleigh."
    assert [list(litellm.success_callback), list(litellm.callbacks)] == before
    check(openai_server, ledger)


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_langchain_chat(way: str, openai_server: ScriptedServer, ledger: Ledger) -> None:
    """An answer of LangChain's cache is a hit, with the tokens of the stored message."""
    caches = pytest.importorskip("langchain_core.caches")
    kind = pytest.importorskip("langchain_openai").ChatOpenAI
    model = kind(model="gpt-5", base_url=f"{openai_server.url}/v1", api_key="none", cache=caches.InMemoryCache())
    with nbtokens.operation("ask") as op:
        for number in range(2):
            answer = model.invoke("Why?") if way == "sync" or not number else await model.ainvoke("Why?")
            assert answer.content == "Rayleigh."
    model.root_client.close()
    assert op.calls == 1
    assert {row["operation"] for row in ledger.rows("cache_hit")} == {"ask"}
    check(openai_server, ledger)


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_langchain_text(way: str, openai_server: ScriptedServer, ledger: Ledger) -> None:
    """LangChain's models of texts store no usage: the hit is counted, what it saved is not known."""
    caches = pytest.importorskip("langchain_core.caches")
    kind = pytest.importorskip("langchain_openai").OpenAI
    usage = {"id": "cmpl-1", "object": "text_completion", "usage": ANSWER["usage"], "created": 1, "model": "gpt-5"}
    openai_server.will(as_json({**usage, "choices": [{"index": 0, "finish_reason": "stop", "text": "Rayleigh."}]}))
    model = kind(model="gpt-5", base_url=f"{openai_server.url}/v1", api_key="none", cache=caches.InMemoryCache())
    for number in range(2):
        text = model.invoke("Why?") if way == "sync" or not number else await model.ainvoke("Why?")
        assert text == "Rayleigh."
    model.client._client.close()
    (call,), (hit,) = ledger.rows(), ledger.rows("cache_hit")
    assert call["output_tokens"] == 100
    assert (hit["model"], hit["call_type"], hit["usage_source"], hit["cost_usd"]) == (
        "gpt-5",
        "text_completion",
        "none",
        0,
    )
    assert not hit.keys() & {"output_tokens", "saved_cost_usd"}


def test_left_as_they_were() -> None:
    """Every function of these libraries is itself again when recording is switched off."""
    session = pytest.importorskip("requests_cache.session")
    chat_models = pytest.importorskip("langchain_core.language_models.chat_models")
    llms = pytest.importorskip("langchain_core.language_models.llms")

    def now() -> list[object]:
        convert = vars(chat_models.BaseChatModel)["_convert_cached_generations"]
        return [vars(session.CacheMixin)["send"], convert, llms.get_prompts, llms.aget_prompts]

    before = now()
    nbtokens.enable()
    assert all(one is not other for one, other in zip(now(), before, strict=True))
    names = runtime().hooked()
    assert "langchain_core.language_models.llms.get_prompts" in names
    assert "requests_cache.session.CacheMixin.send" in names
    nbtokens.disable()
    assert now() == before
