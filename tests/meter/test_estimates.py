"""What a provider does not report is counted here, and labelled; what it reports always wins."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from clients import CHAT_REQUEST, MESSAGES, Http, Sdk, entered, items, settled
from hypothesis import given, settings
from hypothesis import strategies as st
from servers import ScriptedServer, as_events, as_json, event

from nbtokens.demo.simulated_text import answer
from nbtokens.estimates import Estimates, calls_in
from nbtokens.exchange import Address, Exchange
from nbtokens.families import framing_of
from nbtokens.formats.recognise import FORMATS
from nbtokens.formats.request import Request
from nbtokens.runtime import runtime
from nbtokens.tokenizers import Tokenizers

if TYPE_CHECKING:
    from ledgers import Ledger

    from nbtokens.demo.endpoint import Endpoint
    from nbtokens.guard import Guard
    from nbtokens.record import Record

PATH: Final = "/v1/chat/completions"
MODEL: Final = "gpt-4-turbo"
TEXT: Final = "The sky is blue since the air scatters short waves more than long ones. " * 20
ENDED: Final = framing_of("gpt-5").answer
"""What the end of an answer of `CHAT_REQUEST`'s model counts for."""
CALL: Final = framing_of("gpt-5").answered_call


def observed(response: bytes, request: dict[str, Any] | None = None, **others: Any) -> Record:  # noqa: ANN401
    """The record of an exchange with a model on this machine."""
    sent = json.dumps({**CHAT_REQUEST, **(request or {})}).encode()
    address = Address("http", "127.0.0.1", 80, others.pop("path", PATH))
    record = runtime().meter.to_record(Exchange("POST", address, sent, status=200, body=response, **others))
    assert record is not None
    return record


_tokenizers: Final = Tokenizers()


@pytest.fixture(autouse=True, scope="module")
def encodings_loaded() -> None:
    """Wait for the encodings once: what is counted while one is still loading is by the characters."""
    for model in ("gpt-5", MODEL):
        assert _tokenizers.count("a", model, wait=30) == 1


def count(text: str) -> int:
    """The tokens of a text, as they are counted on this machine."""
    return _tokenizers.count(text, "gpt-5", wait=30)


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
    assert (row["usage_source"], row["output_tokens"], row["complete"]) == ("estimated", count(TEXT) + ENDED, True)


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
    assert (record.input_tokens, record.output_tokens) == (7, count(TEXT) + ENDED)
    assert record.usage_source == "estimated"
    assert record.usage == {"prompt_tokens": 7}


@pytest.mark.parametrize(
    ("delta", "text", "around"),
    [
        ({"content": TEXT}, TEXT, ENDED),
        ({"reasoning_content": TEXT}, TEXT, ENDED),
        (
            {"tool_calls": [{"function": {"name": "look", "arguments": '{"for": "birds"}'}}]},
            'look{"for": "birds"}',
            ENDED + CALL,
        ),
        ({"content": None, "role": "assistant"}, "", 0),
    ],
    ids=["content", "reasoning", "tool call", "nothing"],
)
def test_all_that_is_written_counts(delta: dict[str, Any], text: str, around: int) -> None:
    """Text, reasoning and tool calls are output, plain and streamed, and what the model writes around them."""
    plain = observed(json.dumps({"model": "gpt-5", "choices": [{"message": delta}]}).encode())
    streamed = observed(event({"model": "gpt-5", "choices": [{"delta": delta}]}) + b"data: [DONE]\n\n")
    assert plain.output_tokens == streamed.output_tokens == count(text) + around


@pytest.mark.parametrize(
    ("body", "calls"),
    [
        (rb'{"tool_calls":[{"id":"1","function":{"arguments":"{\"a\":\"}\"}","name":"f"}}]}', 1),
        (b'{"delta":{"tool_calls":[{"function":{"arguments":"{"}}]}}', 0),
        (rb'{"delta":{"content":"\"function\":{\"name\":\"f\"}"}}', 0),
        (b'{"type":"tool_use","name":"f"} {"stop_reason":"tool_use"}', 1),
        (b'{"functionCall": {"name": "f"}} {"functionCall": {"name": "g"}}', 2),
        (b'{"item":{"call_id":"c1"}} {"item":{"call_id":"c1"}} {"item":{"call_id":"c2"}}', 2),
    ],
)
def test_calls_of_tools(body: bytes, calls: int) -> None:
    """Each call of a tool counts once, in whichever format, however often it is repeated; what text says is none."""
    assert calls_in(body) == calls


def test_input_of_a_cut_off_stream() -> None:
    """Of a stream that was cut off before any report, the whole request was read."""
    whole = observed(event({"model": MODEL, "choices": [{"delta": {"content": TEXT}}]}))
    begun = observed(event({"model": MODEL, "choices": [{"delta": {"content": "The sky"}}]}), complete=False)
    assert begun.input_tokens == whole.input_tokens == count(MESSAGES[0]["content"]) + 7
    assert (begun.output_tokens, begun.usage_source) == (2, "estimated")


def test_images_are_no_text() -> None:
    """An image in the prompt is not counted by the length of its encoding."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000, "detail": "low"}}
    words = {"type": "text", "text": "What is this?"}
    record = observed(b'{"model": "gpt-4o"}', {"messages": [{"role": "user", "content": [words, image]}]})
    assert record.input_tokens == 85 + count("What is this?") + 7


def test_a_prompt_that_is_elsewhere() -> None:
    """Where the request holds nothing to count, the input is not known; what was written is counted all the same."""
    body = {"model": "gpt-5", "output": [{"content": [{"text": TEXT}]}]}
    exchange = {"previous_response_id": "resp_1"}
    record = observed(json.dumps(body).encode(), exchange, path="/v1/responses")
    assert (record.input_tokens, record.output_tokens) == (None, count(TEXT) + ENDED)
    assert record.usage_source == "estimated"


def test_nothing_to_count() -> None:
    """An answer without a report, where neither the request nor the answer holds anything to count, has no figures."""
    record = observed(b'{"model": "gpt-5", "output": []}', {"previous_response_id": "resp_1"}, path="/v1/responses")
    assert (record.usage_source, record.total_tokens) == ("none", None)


def test_embeddings_write_nothing() -> None:
    """An embedding without usage has an estimated input and no output."""
    record = observed(b'{"model": "m", "data": []}', {"input": [TEXT, TEXT]}, path="/v1/embeddings")
    assert (record.usage_source, record.output_tokens, record.input_tokens) == ("estimated", 0, 2 * count(TEXT))


def test_estimated_calls_are_priced(server: ScriptedServer, recording: Ledger) -> None:
    """What is estimated costs its price as well."""
    http = Http(__import__("httpx"), asynchronous=False)
    server.will(as_json({"model": "gpt-5", "choices": [{"message": {"content": TEXT}}]}))
    with http.client(transport=http.transport(server)) as client:
        client.post("https://api.openai.com" + PATH, json=CHAT_REQUEST)
    row = recording.only()
    assert (row["usage_source"], row["provider"]) == ("estimated", "openai")
    assert row["cost_usd"] == row["input_cost_usd"] + row["output_cost_usd"] > 0


_KEYS: Final = st.sampled_from(
    [
        *("role", "content", "type", "text", "name", "tool_calls", "function", "parameters", "properties", "items"),
        *("enum", "required", "image_url", "url", "source", "data", "inlineData", "mimeType", "images", "image"),
        *("functionDeclarations", "toolSpec", "json_schema", "schema", "format", "description", "detail"),
    ]
) | st.text(max_size=4)
_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=30,
)
_BODIES: Final = st.dictionaries(
    st.sampled_from(["messages", "tools", "input", "prompt", "system", "instructions", "response_format", "text"]),
    _JSON | st.sampled_from(["function", "json_schema", "image_url", "input_image", "image", "object", "array"]),
)


@settings(max_examples=300, deadline=None)
@given(_BODIES)
def test_any_request(body: dict[str, Any]) -> None:
    """Whatever a request holds, counting it raises nothing, and gives no negative number."""
    estimates, request = Estimates(_tokenizers), Request(json.dumps(body).encode())
    for table in FORMATS:
        for model in ("gpt-4o", "claude-opus-4-8", "llama-3.3-70b", "gemini-2.5-flash", None):
            assert estimates.input_tokens(request, table, model, wait=30) >= 0


def test_a_body_that_cannot_be_counted(monkeypatch: pytest.MonkeyPatch, faults_expected: Guard) -> None:
    """Where counting fails all the same, the call is recorded without figures, and the fault is noted."""

    def fail(*arguments: object, **options: object) -> int:
        raise RuntimeError("no count")

    monkeypatch.setattr(Tokenizers, "count_all", fail)
    failures = faults_expected.failures
    record = observed(json.dumps({"model": "gpt-5", "choices": [{"message": {"content": TEXT}}]}).encode())
    assert (record.usage_source, record.output_tokens, faults_expected.failures) == ("none", None, failures + 1)
