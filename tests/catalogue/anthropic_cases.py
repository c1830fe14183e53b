"""Anthropic's messages, of its own and of others.

Sources: https://docs.anthropic.com/en/api/messages, .../streaming, .../complete,
https://docs.anthropic.com/en/docs/build-with-claude/compaction.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from catalogue.case import Case, named_events, plain, tokens

_URL: Final = "https://api.anthropic.com/v1/messages"
ASKED: Final = {"model": "asked-model", "max_tokens": 99, "messages": [{"role": "user", "content": "Why?"}]}
CACHED: Final = {
    "input_tokens": 10,
    "cache_read_input_tokens": 5,
    "cache_creation_input_tokens": 4,
    "output_tokens": 10,
}
READ: Final = tokens(19, 10, cached=5, cache_creation=4)


def message(usage: Any = CACHED, **others: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """A message."""
    whole = {"id": "msg_1", "type": "message", "role": "assistant", "model": "served-model"}
    return {
        **whole,
        "content": [{"type": "text", "text": "Because."}],
        "stop_reason": "end_turn",
        "usage": usage,
        **others,
    }


def stream(*usages: dict[str, Any], first: dict[str, Any] | None = None) -> tuple[dict[str, Any], ...]:
    """The events of a stream whose `message_delta` events report these."""
    begun = message({**CACHED, "output_tokens": 1} if first is None else first, content=[], stop_reason=None)
    return (
        {"type": "message_start", "message": begun},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Because."}},
        *({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage} for usage in usages),
        {"type": "message_stop"},
    )


_PLAIN: Final = Case(
    "anthropic messages",
    _URL,
    ASKED,
    plain(message()),
    "anthropic",
    "anthropic.messages",
    tokens=READ,
    model="served-model",
    call_type="chat",
)
_STREAM: Final = replace(
    _PLAIN,
    name="anthropic stream",
    sent={**ASKED, "stream": True},
    body=named_events(*stream({"output_tokens": 10})),
)
_PASSES: Final = [
    {"type": "compaction", "input_tokens": 100, "output_tokens": 50, "cache_read_input_tokens": 0},
    {"type": "message", "input_tokens": 10, "output_tokens": 10, "cache_read_input_tokens": 5},
]
CASES: Final = (
    _PLAIN,
    _STREAM,
    replace(_PLAIN, name="anthropic beta", url=f"{_URL}?beta=true"),
    replace(
        _STREAM,
        name="anthropic stream that revises its input",
        body=named_events(*stream({"input_tokens": 30, "output_tokens": 3}, {"input_tokens": 30, "output_tokens": 10})),
        tokens=tokens(39, 10, cached=5, cache_creation=4),
    ),
    replace(
        _PLAIN,
        name="anthropic compaction",
        body=plain(
            message({"input_tokens": 10, "output_tokens": 10, "cache_read_input_tokens": 5, "iterations": _PASSES})
        ),
        tokens=tokens(115, 60, cached=5),
    ),
    replace(
        _PLAIN,
        name="anthropic advisor, who is another model",
        body=plain(message({**CACHED, "iterations": [_PASSES[1], {**_PASSES[0], "type": "advisor_message"}]})),
    ),
    replace(
        _PLAIN,
        name="vertex claude",
        url="https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/publishers/anthropic/models"
        "/asked-model:rawPredict",
        sent={key: value for key, value in ASKED.items() if key != "model"},
        provider="gcp.vertex_ai",
    ),
    replace(
        _STREAM,
        name="vertex claude stream",
        url="https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/publishers/anthropic/models"
        "/asked-model:streamRawPredict",
        provider="gcp.vertex_ai",
    ),
    replace(
        _PLAIN,
        name="azure claude",
        url="https://x.services.ai.azure.com/anthropic/v1/messages",
        provider="azure.ai.inference",
    ),
    replace(_STREAM, name="local claude stream", url="http://localhost:8080/v1/messages", provider=None),
    replace(
        _STREAM,
        name="anthropic stream that is overloaded",
        body=named_events(*stream()[:2], {"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}}),
        kind="error",
        error="overloaded_error",
        tokens={},
    ),
    replace(
        _PLAIN,
        name="anthropic refused",
        body=plain({"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}}),
        status=401,
        kind="error",
        error="authentication_error",
        tokens={},
        model="asked-model",
    ),
    Case(
        "anthropic complete",
        "https://api.anthropic.com/v1/complete",
        {"model": "asked-model", "prompt": "\n\nHuman: Why?\n\nAssistant:", "max_tokens_to_sample": 9},
        plain({"type": "completion", "id": "compl_1", "completion": " Because.", "model": "served-model"}),
        "anthropic",
        "anthropic.complete",
        kind="no_usage",
        model="served-model",
    ),
    Case(
        "anthropic complete stream",
        "https://api.anthropic.com/v1/complete",
        {"model": "asked-model", "prompt": "\n\nHuman: Why?\n\nAssistant:", "max_tokens_to_sample": 9, "stream": True},
        named_events(
            {"type": "completion", "id": "compl_1", "completion": " Because.", "model": "served-model"},
        ).replace(b"\n", b"\r\n"),
        "anthropic",
        "anthropic.complete",
        kind="no_usage",
        model="served-model",
    ),
)
