"""OpenAI's and Anthropic's SDK: each call is one record, and what they return is what they return without nbtokens."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from clients import (
    CHAT_REQUEST,
    MESSAGES,
    MESSAGES_TOKENS,
    SDKS,
    STREAMING_SDKS,
    Client,
    Result,
    Sdk,
    entered,
    items,
    settled,
)
from servers import Answer, ScriptedServer, as_events

import nbtokens
from nbtokens.demo.simulated_text import MODEL, answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgers import Ledger

    from nbtokens.demo.endpoint import Endpoint

OUTPUT_TOKENS: Final = answer(MESSAGES[0]["content"], None).output_tokens
PATHS: Final = {
    "openai.chat": "/v1/chat/completions",
    "openai.completions": "/v1/completions",
    "openai.responses": "/v1/responses",
    "openai.embeddings": "/v1/embeddings",
    "anthropic.messages": "/v1/messages",
}
CASES: Final = [(sdk, "plain") for sdk in SDKS] + [(sdk, "stream") for sdk in STREAMING_SDKS]
each_case: Final = pytest.mark.parametrize(("sdk", "way"), CASES, ids=[f"{sdk}-{way}" for sdk, way in CASES])


def options(sdk: Sdk, way: str) -> dict[str, Any]:
    """What the call is made with, so that it reports its usage."""
    if way == "plain":
        return {"max_tokens": 99} if sdk.api == "openai.completions" else {}
    if sdk.api in ("openai.chat", "openai.completions"):
        return {"stream": True, "stream_options": {"include_usage": True}, "max_tokens": 99}
    return {"stream": True}


def captured(simulated: Endpoint, api: str, asked: dict[str, Any]) -> Answer:
    """What the simulated model answers, to be given again word for word."""
    there = httpx.post(simulated.base_url + PATHS[api], json=asked)
    return Answer(there.content, headers={"content-type": there.headers["content-type"]})


async def result_of(sdk: Sdk, client: Client, **chosen: Any) -> list[Any]:  # noqa: ANN401 - the method's own
    """What the call gives: its result, or the events of its stream."""
    got = await settled(sdk.ask(client, **chosen))
    return [item async for item in items(got)] if "stream" in chosen else [got]


@each_case
async def test_one_record(sdk: Sdk, way: str, simulated: Endpoint, recording: Ledger) -> None:
    """One call is one record with the reported usage, the model's names and the request's fingerprint."""
    async with entered(sdk.client(simulated.base_url)) as client:
        await result_of(sdk, client, **options(sdk, way))
    row = recording.only()
    expected = {
        "v": 1,
        "api": sdk.api,
        "call_type": {"openai.completions": "text_completion", "openai.embeddings": "embeddings"}.get(sdk.api, "chat"),
        "request_model": "gpt-5",
        "model": MODEL,
        "input_tokens": MESSAGES_TOKENS,
        "output_tokens": OUTPUT_TOKENS if sdk.streams else 0,
        "usage_source": "reported",
        "status": "ok",
        "http_status": 200,
        "complete": True,
        "stream": way == "stream",
        "retry_count": 0,
        "attribution": "none",
        "server_address": simulated.base_url.removeprefix("http://"),
    }
    assert {name: row.get(name) for name in expected} == expected
    assert row["total_tokens"] == row["input_tokens"] + row["output_tokens"]
    assert row["request_id"].startswith("req_")
    assert row["request_hash"] != row["prefix_hash"]
    assert "cost_usd" not in row
    assert ("time_to_first_chunk_s" in row) is (way == "stream")


@each_case
async def test_same_results(sdk: Sdk, way: str, simulated: Endpoint, server: ScriptedServer, ledger: Ledger) -> None:
    """Results and stream events are of the same types with the same content as without nbtokens."""
    chosen = options(sdk, way)
    server.will(captured(simulated, sdk.api, {**sdk.options, **chosen}))
    async with entered(sdk.client(server.url)) as client:
        without = await result_of(sdk, client, **chosen)
        nbtokens.enable()
        with_nbtokens = await result_of(sdk, client, **chosen)
    assert [type(one) for one in with_nbtokens] == [type(one) for one in without]
    assert [one.model_dump() for one in with_nbtokens] == [one.model_dump() for one in without]
    assert server.asked[0].body == server.asked[1].body
    assert len(ledger.rows()) == 1


async def test_first_event_comes_first(
    streaming_sdk: Sdk, simulated: Endpoint, server: ScriptedServer, recording: Ledger
) -> None:
    """The first event of a stream is handed over before the server has sent the next."""
    sdk = streaming_sdk
    whole = captured(simulated, sdk.api, {**sdk.options, "stream": True}).body
    events = [one + b"\n\n" for one in whole.split(b"\n\n")]
    rest = threading.Event()
    server.will(as_events(events[0], rest, *events[1:-1]))
    recorded = len(recording.rows())
    async with entered(sdk.client(server.url)) as client:
        stream = items(await settled(sdk.ask(client, stream=True)))
        await anext(stream)
        assert not rest.is_set()
        assert len(recording.rows()) == recorded
        rest.set()
        assert [one async for one in stream]
    assert len(recording.rows()) == recorded + 1


async def raw_response(client: Client) -> Result:
    raw = await settled(client.chat.completions.with_raw_response.create(**CHAT_REQUEST))
    parsed = await settled(raw.parse())
    return raw.headers["content-type"], raw.http_response.content, parsed.model_dump()


async def streaming_response(client: Client) -> Result:
    async with entered(client.chat.completions.with_streaming_response.create(**CHAT_REQUEST)) as response:
        parts = [part async for part in items(response.iter_bytes(11))]
        return response.status_code, parts


async def parsing(client: Client) -> Result:
    return (await settled(client.chat.completions.parse(**CHAT_REQUEST))).choices[0].message.content


async def final_message(client: Client) -> Result:
    async with entered(client.messages.stream(**CHAT_REQUEST, max_tokens=99)) as stream:
        texts = [text async for text in items(stream.text_stream)]
        return texts, (await settled(stream.get_final_message())).model_dump()


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("use", [raw_response, streaming_response, parsing, final_message])
async def test_other_ways_of_the_sdks(
    use: Callable[[Client], Result],
    mode: str,
    simulated: Endpoint,
    server: ScriptedServer,
    ledger: Ledger,
) -> None:
    """Raw and streaming responses, `parse` and `messages.stream` give what they give without nbtokens."""
    api = "anthropic.messages" if use is final_message else "openai.chat"
    sdk = next(one for one in SDKS if str(one) == f"{api}-{mode}")
    server.will(captured(simulated, api, {**sdk.options, "stream": use is final_message}))
    async with entered(sdk.client(server.url)) as client:
        without = await use(client)
        nbtokens.enable()
        assert await use(client) == without
    assert ledger.only()["output_tokens"] == OUTPUT_TOKENS
