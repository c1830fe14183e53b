"""What a provider does not report is counted here, and labelled; what it reports always wins."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from clients import CHAT_REQUEST, MESSAGES, Http, Sdk, entered, items, settled
from servers import ScriptedServer, as_events, as_json, event

from nbtokens.demo.simulated_text import answer
from nbtokens.exchange import Address, Exchange
from nbtokens.runtime import runtime
from nbtokens.tokenizers import BYTES_PER_TOKEN, Tokenizers

if TYPE_CHECKING:
    from ledgers import Ledger, Script

    from nbtokens.demo.endpoint import Endpoint
    from nbtokens.record import Record

PATH: Final = "/v1/chat/completions"
TEXT: Final = "The sky is blue since the air scatters short waves more than long ones. " * 20


def observed(response: bytes, request: dict[str, Any] | None = None, **others: Any) -> Record:  # noqa: ANN401
    """The record of an exchange with a model on this machine."""
    sent = json.dumps({**CHAT_REQUEST, **(request or {})}).encode()
    address = Address("http", "127.0.0.1", 80, others.pop("path", PATH))
    record = runtime().meter.to_record(Exchange("POST", address, sent, status=200, body=response, **others))
    assert record is not None
    return record


def count(text: str) -> int:
    """The tokens of a text, as they are counted on this machine."""
    return Tokenizers().count(text, "gpt-5")


async def test_stream_without_usage(streaming_sdk: Sdk, simulated: Endpoint, recording: Ledger) -> None:
    """A stream that reports no usage, since nobody asked for it, is counted; one that does is taken at its word."""
    sdk = streaming_sdk
    options = {"max_tokens": 99} if sdk.api == "openai.completions" else {}
    async with entered(sdk.client(simulated.base_url)) as client:
        assert [one async for one in items(await settled(sdk.ask(client, stream=True, **options)))]
    row = recording.only()
    assert (row["complete"], row["status"], row["stream"]) == (True, "ok", True)
    if sdk.api in {"openai.responses", "anthropic.messages"}:
        assert row["usage_source"] == "reported"
        assert row["output_tokens"] == answer(MESSAGES[0]["content"], None).output_tokens
    else:
        assert (row["usage_source"], "usage" in row) == ("estimated", False)
        assert row["output_tokens"] == count(answer(MESSAGES[0]["content"], None).text)
        assert row["input_tokens"] > 0


async def test_plain_without_usage(http: Http, server: ScriptedServer, recording: Ledger) -> None:
    """The same for a plain answer."""
    server.will(as_json({"model": "gpt-5", "choices": [{"message": {"role": "assistant", "content": TEXT}}]}))
    async with entered(http.client()) as client:
        await settled(client.post(server.url + PATH, json=CHAT_REQUEST))
    row = recording.only()
    assert (row["usage_source"], row["output_tokens"], row["complete"]) == ("estimated", count(TEXT), True)


async def test_cut_off_after_usage(http: Http, server: ScriptedServer, recording: Ledger) -> None:
    """Of a stream that was cut off, the larger of what was reported so far and what was read is the output."""
    pieces = [
        event(
            {
                "model": "gpt-5",
                "choices": [{"delta": {"content": TEXT}}],
                "usage": {"prompt_tokens": 7, "completion_tokens": 1},
            }
        )
    ]
    server.will(as_events(*pieces, end="cut"))
    async with entered(http.client()) as client:
        with pytest.raises(http.module.TransportError):
            await settled(client.post(server.url + PATH, json=CHAT_REQUEST))
        with pytest.raises(http.module.TransportError):
            async with entered(client.stream("POST", server.url + PATH, json=CHAT_REQUEST)) as response:
                await settled(http.method(response, "read")())
    row = recording.rows()[1]
    assert (row["usage_source"], row["complete"]) == ("estimated", False)
    assert (row["input_tokens"], row["output_tokens"]) == (7, count(TEXT))


def test_cut_off_with_more_reported_than_read() -> None:
    """What was reported so far is not lowered by what was read: reasoning is reported, but not shown."""
    usage = {"prompt_tokens": 7, "completion_tokens": 5000}
    record = observed(
        event({"model": "gpt-5", "choices": [{"delta": {"content": "Hi"}}], "usage": usage}), complete=False
    )
    assert (record.output_tokens, record.usage_source, record.complete) == (5000, "estimated", False)


def test_half_reported() -> None:
    """What is reported is kept, what is missing is counted; the label says so."""
    half = json.dumps({"model": "gpt-5", "choices": [{"message": {"content": TEXT}}], "usage": {"prompt_tokens": 7}})
    record = observed(half.encode())
    assert (record.input_tokens, record.output_tokens, record.usage_source) == (7, count(TEXT), "estimated")
    assert record.usage == {"prompt_tokens": 7}


@pytest.mark.parametrize(
    ("delta", "text"),
    [
        ({"content": TEXT}, TEXT),
        ({"reasoning_content": TEXT}, TEXT),
        ({"tool_calls": [{"function": {"name": "look", "arguments": '{"for": "birds"}'}}]}, 'look{"for": "birds"}'),
        ({"content": None, "role": "assistant"}, ""),
    ],
    ids=["content", "reasoning", "tool call", "nothing"],
)
def test_all_that_is_written_counts(delta: dict[str, Any], text: str) -> None:
    """Text, reasoning and tool calls are output, plain and streamed."""
    plain = observed(json.dumps({"model": "gpt-5", "choices": [{"message": delta}]}).encode())
    streamed = observed(event({"model": "gpt-5", "choices": [{"delta": delta}]}) + b"data: [DONE]\n\n")
    assert plain.output_tokens == streamed.output_tokens == count(text)


def test_images_are_no_text() -> None:
    """An image in the prompt is not counted by the length of its encoding."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    words = {"type": "text", "text": "What is this?"}
    record = observed(b'{"model": "gpt-5"}', {"messages": [{"role": "user", "content": [words, image]}]})
    assert record.input_tokens is not None
    assert record.input_tokens < 50


def test_embeddings_write_nothing() -> None:
    """An embedding without usage has an estimated input and no output."""
    record = observed(b'{"model": "m", "data": []}', {"input": [TEXT, TEXT]}, path="/v1/embeddings")
    assert (record.usage_source, record.output_tokens) == ("estimated", 0)
    assert abs((record.input_tokens or 0) - 2 * count(TEXT)) < 10


def test_estimated_calls_are_priced(server: ScriptedServer, recording: Ledger) -> None:
    """What is estimated costs its price as well."""
    http = Http(__import__("httpx"), asynchronous=False)
    server.will(as_json({"model": "gpt-5", "choices": [{"message": {"content": TEXT}}]}))
    with http.client(transport=http.transport(server)) as client:
        client.post("https://api.openai.com" + PATH, json=CHAT_REQUEST)
    row = recording.only()
    assert (row["usage_source"], row["provider"]) == ("estimated", "openai")
    assert row["cost_usd"] == row["input_cost_usd"] + row["output_cost_usd"] > 0


def test_without_ranks_by_length(script: Script, tmp_path: Any) -> None:  # noqa: ANN401 - a path
    """Where tiktoken's ranks are not on this machine, the length tells; nothing is fetched from a network."""
    source = f"""
    import socket, sys, tempfile

    def refuse(*arguments, **options):
        raise AssertionError("the network was asked for")

    socket.socket.connect = refuse
    sys.modules["litellm"] = None  # it would bring ranks of its own
    from nbtokens.tokenizers import Tokenizers

    tokenizers = Tokenizers()
    assert tokenizers.count("a" * 400, "gpt-5", wait=30) == 400 // {BYTES_PER_TOKEN}
    assert tokenizers.count("é", None) == 1
    assert tokenizers.count("", "gpt-5") == 0
    assert tokenizers.count("<|endoftext|>\\ud800", "no-such-model") > 0
    """
    empty = {"TMPDIR": str(tmp_path), "TIKTOKEN_CACHE_DIR": str(tmp_path), "DATA_GYM_CACHE_DIR": str(tmp_path)}
    script(source, **empty)


def test_special_tokens_are_text() -> None:
    """What looks like a special token is counted as the text that it is."""
    assert count("<|endoftext|>" * 10) >= 10
