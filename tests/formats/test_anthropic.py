"""Anthropic's messages, read from bodies as its documentation describes them."""

from __future__ import annotations

from typing import Any, Final

import pytest
from reading import REQUESTS, counts, named_events, read

PATH: Final = "/v1/messages"


def message(**others: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """A message."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 50, "output_tokens": 503},
        **others,
    }


def test_cached_tokens_are_input() -> None:
    """Anthropic counts cached tokens apart from the input; here they are included in it, and listed."""
    usage = {
        "input_tokens": 50,
        "cache_creation_input_tokens": 248,
        "cache_read_input_tokens": 1800,
        "output_tokens": 503,
        "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
        "output_tokens_details": {"thinking_tokens": 400},
        "server_tool_use": {"web_search_requests": 2},
        "service_tier": "batch",
    }
    call = read(PATH, message(usage=usage))
    assert counts(call) == {
        "input_tokens": 50 + 248 + 1800,
        "output_tokens": 503,
        "cache_read_input_tokens": 1800,
        "cache_creation_input_tokens": 248,
        "cache_creation_1h_input_tokens": 100,
        "reasoning_output_tokens": 400,
        "web_searches": 2,
    }
    assert call.raw_usage == usage
    assert (call.service_tier, call.finish_reason, call.max_tokens) == ("batch", "end_turn", 99)
    assert (call.api, call.call_type, call.response_id) == ("anthropic.messages", "chat", "msg_1")


def stream(*deltas: dict[str, Any], start: dict[str, Any] | None = None, end: bool = True) -> bytes:
    """A streamed message whose `message_delta` events carry these usages."""
    first = start or {"input_tokens": 25, "cache_read_input_tokens": 7, "output_tokens": 1, "service_tier": "standard"}
    begun = message(content=[], stop_reason=None, usage=first)
    return named_events(
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
        {"type": "content_block_stop", "index": 0},
        *({"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": usage} for usage in deltas),
        *([{"type": "message_stop"}] if end else []),
    )


def test_start_and_delta_are_merged() -> None:
    """The input stands in `message_start`, the final output in `message_delta`: neither is counted twice."""
    call = read(PATH, stream({"output_tokens": 15}))
    assert counts(call) == {"input_tokens": 32, "output_tokens": 15, "cache_read_input_tokens": 7}
    assert (call.finish_reason, call.service_tier, call.complete, call.stream) == ("max_tokens", "standard", True, True)
    assert call.raw_usage == {
        "input_tokens": 25,
        "cache_read_input_tokens": 7,
        "output_tokens": 15,
        "service_tier": "standard",
    }


def test_delta_may_revise_the_input() -> None:
    """A `message_delta` that reports the input again is right; null in it says nothing."""
    call = read(PATH, stream({"input_tokens": 30, "cache_read_input_tokens": None, "output_tokens": 15}))
    assert counts(call) == {"input_tokens": 37, "output_tokens": 15, "cache_read_input_tokens": 7}


def test_several_deltas() -> None:
    """Of several deltas the last counts: their output is that of the whole message."""
    assert counts(read(PATH, stream({"output_tokens": 5}, {"output_tokens": 15})))["output_tokens"] == 15


@pytest.mark.parametrize(("end", "complete"), [(True, True), (False, False)])
def test_message_stop_is_the_end(end: bool, complete: bool) -> None:  # noqa: FBT001 - cases of the parameters
    """A stream whose reader left at `message_stop` is complete; before it, it is not."""
    assert read(PATH, stream({"output_tokens": 15}, end=end), complete=False).complete is complete


def test_error_event() -> None:
    """An `error` event in a stream that began with HTTP 200 is an error."""
    body = stream(end=False) + named_events({"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}})
    call = read(PATH, body)
    assert (call.error, call.complete) == ("overloaded_error", False)


def test_bedrock_style_request() -> None:
    """A request that names its version in place of a model is one, too."""
    request = {key: value for key, value in REQUESTS[PATH].items() if key != "model"}
    call = read(PATH, message(), {**request, "anthropic_version": "vertex-2023-10-16"})
    assert (call.request_model, call.model) == (None, "claude-sonnet-4-5-20250929")
