"""OpenAI's formats, read from bodies as its documentation and those who speak it too describe them."""

from __future__ import annotations

from typing import Any, Final

import pytest
from reading import REQUESTS, STREAMED, counts, events, read, simulated_body

from nbtokens.demo.simulated_text import MODEL

CHAT: Final = "/v1/chat/completions"
COMPLETIONS: Final = "/v1/completions"
RESPONSES: Final = "/v1/responses"
EMBEDDINGS: Final = "/v1/embeddings"
WITH_USAGE: Final = [
    (path, options) for path in REQUESTS for options in ({}, STREAMED) if (path, options) != (EMBEDDINGS, STREAMED)
]


def chunk(content: str | None = None, **others: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """A chunk of a streamed chat completion."""
    choices = [] if content is None else [{"index": 0, "delta": {"content": content}, "finish_reason": None}]
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-5", "choices": choices, **others}


@pytest.mark.parametrize(("path", "options"), WITH_USAGE)
def test_simulated(path: str, options: dict[str, Any]) -> None:
    """What the simulated model sends is read whole, plain and streamed."""
    call = read(path, simulated_body(path, **options), {**REQUESTS[path], **options})
    assert (call.model, call.request_model) == (MODEL, "gpt-5")
    assert (call.usage_source, call.complete, call.error) == ("reported", True, None)
    assert call.stream is bool(options)
    assert call.usage.input_tokens == 6
    assert (call.usage.output_tokens or 0) > 20 or path == EMBEDDINGS
    assert call.response_id or path == EMBEDDINGS


def test_chat() -> None:
    """Cached tokens are part of the input, reasoning of the output; the served tier is kept, and the usage as sent."""
    usage = {
        "prompt_tokens": 1900,
        "completion_tokens": 310,
        "total_tokens": 2210,
        "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 3, "later": {"added": 1}},
        "completion_tokens_details": {"reasoning_tokens": 256, "audio_tokens": 2, "accepted_prediction_tokens": 0},
        "unheard_of": [1, 2],
    }
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-5-2025-08-07",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "length"}],
        "usage": usage,
        "service_tier": "flex",
    }
    call = read(CHAT, body, {**REQUESTS[CHAT], "max_completion_tokens": 310, "service_tier": "auto"})
    assert counts(call) == {
        "input_tokens": 1900,
        "output_tokens": 310,
        "cache_read_input_tokens": 1024,
        "reasoning_output_tokens": 256,
        "input_audio_tokens": 3,
        "output_audio_tokens": 2,
    }
    assert call.raw_usage == usage
    assert (call.api, call.call_type) == ("openai.chat", "chat")
    assert (call.model, call.response_id, call.finish_reason) == ("gpt-5-2025-08-07", "chatcmpl-1", "length")
    assert (call.service_tier, call.max_tokens, call.stream) == ("flex", 310, False)


def test_chat_stream_with_usage() -> None:
    """The usage of a stream stands in a last chunk without choices."""
    usage = {"prompt_tokens": 19, "completion_tokens": 2, "total_tokens": 21}
    finish = chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}], usage=None)
    call = read(CHAT, events(chunk("Hel", usage=None), chunk("lo", usage=None), finish, chunk(usage=usage)))
    assert counts(call) == {"input_tokens": 19, "output_tokens": 2}
    assert (call.finish_reason, call.stream, call.complete, call.raw_usage) == ("stop", True, True, usage)


def test_cumulative_usage() -> None:
    """Where every chunk reports the usage so far, the last one counts; they are not added up."""
    chunks = [
        chunk("a", usage={"prompt_tokens": 19, "completion_tokens": n, "total_tokens": 19 + n}) for n in (1, 2, 3)
    ]
    call = read(CHAT, events(*chunks))
    assert counts(call) == {"input_tokens": 19, "output_tokens": 3}
    assert call.raw_usage == {"prompt_tokens": 19, "completion_tokens": 3, "total_tokens": 22}


def test_empty_model_in_the_first_chunk() -> None:
    """Azure's first chunk has an empty model and id: the later ones count."""
    first = {"id": "", "model": "", "object": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]}
    call = read(CHAT, events(first, chunk("Hi"), {**chunk(), "model": "", "id": ""}))
    assert (call.model, call.response_id) == ("gpt-5", "chatcmpl-1")


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 4}, 4),
        ({"prompt_tokens": 9, "completion_tokens": 1, "cached_tokens": 5}, 5),
        ({"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": None}, None),
        ({"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": None}}, None),
        ({"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 0}}, 0),
        ({"input_tokens": 9, "output_tokens": 1}, None),
    ],
)
def test_dialects(usage: dict[str, Any], expected: int | None) -> None:
    """DeepSeek, Moonshot and others name the same counts otherwise; null is "not said", 0 is said."""
    call = read(CHAT, {"model": "m", "choices": [], "usage": usage})
    assert (call.usage.input_tokens, call.usage.output_tokens) == (9, 1)
    assert call.usage.cache_read_input_tokens == expected


def test_groq_stream() -> None:
    """Groq reports a stream's usage inside of `x_groq`."""
    last = chunk(x_groq={"id": "req_1", "usage": {"prompt_tokens": 19, "completion_tokens": 2, "queue_time": 0.1}})
    assert counts(read(CHAT, events(chunk("Hi"), last))) == {"input_tokens": 19, "output_tokens": 2}


def test_completions() -> None:
    """The older completions have the same usage."""
    body = {"id": "cmpl-1", "model": "m", "choices": [{"text": "x", "finish_reason": "stop"}]}
    call = read(COMPLETIONS, {**body, "usage": {"prompt_tokens": 5, "completion_tokens": 7}})
    assert counts(call) == {"input_tokens": 5, "output_tokens": 7}
    assert (call.api, call.call_type, call.finish_reason) == ("openai.completions", "text_completion", "stop")


def finished_response(**others: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """A finished response with cached input and reasoning."""
    return {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "model": "gpt-5-2025-08-07",
        "incomplete_details": None,
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}],
        "service_tier": "priority",
        "usage": {
            "input_tokens": 328,
            "input_tokens_details": {"cached_tokens": 100},
            "output_tokens": 52,
            "output_tokens_details": {"reasoning_tokens": 40},
            "total_tokens": 380,
        },
        **others,
    }


def test_responses() -> None:
    """A response's usage, tier, status and limit."""
    call = read(RESPONSES, finished_response(), {**REQUESTS[RESPONSES], "max_output_tokens": 60})
    assert counts(call) == {
        "input_tokens": 328,
        "output_tokens": 52,
        "cache_read_input_tokens": 100,
        "reasoning_output_tokens": 40,
    }
    assert (call.finish_reason, call.service_tier, call.max_tokens) == ("completed", "priority", 60)
    assert (call.api, call.response_id, call.complete, call.error) == ("openai.responses", "resp_1", True, None)


@pytest.mark.parametrize(
    ("last", "others", "reason"),
    [
        ("response.completed", {}, "completed"),
        (
            "response.incomplete",
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            "max_output_tokens",
        ),
    ],
)
def test_responses_stream(last: str, others: dict[str, Any], reason: str) -> None:
    """The last event of a stream holds the whole response; what the first said is overridden by it."""
    begun = finished_response(status="in_progress", usage=None, service_tier="auto", output=[])
    stream = events(
        {"type": "response.created", "response": begun},
        {"type": "response.output_text.delta", "delta": "Hi"},
        {"type": last, "response": finished_response(**others)},
        done=False,
    )
    call = read(RESPONSES, stream)
    assert counts(call)["output_tokens"] == 52
    assert (call.finish_reason, call.service_tier, call.model) == (reason, "priority", "gpt-5-2025-08-07")
    assert (call.complete, call.error, call.stream) == (True, None, True)


def test_failed_response() -> None:
    """A response that failed is an error, although its HTTP status is 200."""
    failed = finished_response(status="failed", error={"code": "server_error", "message": "Oh"}, usage=None)
    call = read(RESPONSES, events({"type": "response.failed", "response": failed}, done=False))
    assert (call.error, call.complete) == ("server_error", False)


def test_embeddings() -> None:
    """Embeddings have input only, and write nothing."""
    body = {
        "object": "list",
        "data": [],
        "model": "text-embedding-3-small",
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
    }
    call = read(EMBEDDINGS, body)
    assert counts(call) == {"input_tokens": 8, "output_tokens": 0}
    assert (call.api, call.call_type, call.model) == ("openai.embeddings", "embeddings", "text-embedding-3-small")


def test_embeddings_with_total_only() -> None:
    """Voyage reports only the total, which is the input."""
    assert counts(read(EMBEDDINGS, {"model": "voyage-3", "usage": {"total_tokens": 8}}))["input_tokens"] == 8
