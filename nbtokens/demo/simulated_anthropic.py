"""Anthropic's wire format, as the simulated server speaks it: messages, token counts, models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbtokens.demo.simulated_text import MODEL, Answer, BadRequestError, answer, count_tokens, prompt_of
from nbtokens.demo.simulated_wire import Document, Event, Json, Reply, Stream, limit_in, new_id

if TYPE_CHECKING:
    from collections.abc import Iterator


def error(problem: BadRequestError) -> Json:
    """Anthropic's body for a request that it refuses."""
    return {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": str(problem)},
        "request_id": new_id("req_"),
    }


def messages(body: Json) -> Reply:
    """`POST /v1/messages`."""
    _require(body, "model", "messages", "max_tokens")
    said = answer(prompt_of(body, "system", "messages"), limit_in(body, "max_tokens"))
    head: Json = {"id": new_id("msg_"), "type": "message", "role": "assistant", "model": MODEL}
    if body.get("stream"):
        return Stream(_events(head, said))
    content = [{"type": "text", "text": said.text}]
    return Document({**head, "content": content, **_stop(said), "usage": _usage(said)}, said.output_tokens)


def count(body: Json) -> Reply:
    """`POST /v1/messages/count_tokens`: what a message would take in, without an answer."""
    _require(body, "model", "messages")
    return Document({"input_tokens": count_tokens(prompt_of(body, "system", "messages"))})


def models() -> Document:
    """`GET /v1/models`: the one model that there is."""
    only = {"type": "model", "id": MODEL, "display_name": "Simulated model", "created_at": "1970-01-01T00:00:00Z"}
    return Document({"data": [only], "has_more": False, "first_id": MODEL, "last_id": MODEL})


def _require(body: Json, *names: str) -> None:
    for name in names:
        if name not in body:
            raise BadRequestError(f"{name}: Field required")
    if not isinstance(body["messages"], list):
        raise BadRequestError("messages: Input should be a valid list")
    if not body["messages"]:
        raise BadRequestError("messages: at least one message is required")


def _stop(said: Answer) -> Json:
    return {"stop_reason": "max_tokens" if said.truncated else "end_turn", "stop_sequence": None}


def _usage(said: Answer) -> Json:
    return {
        "input_tokens": said.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": said.output_tokens,
        "service_tier": "standard",
    }


def _events(head: Json, said: Answer) -> Iterator[Event]:
    """A streamed message. The output tokens in its last usage are those of the whole message, as with Anthropic."""
    usage = _usage(said)
    begun = {**head, "content": [], "stop_reason": None, "stop_sequence": None, "usage": {**usage, "output_tokens": 1}}
    yield _event("message_start", message=begun)
    yield _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    yield _event("ping")
    for piece in said.pieces:
        yield _event("content_block_delta", tokens=1, index=0, delta={"type": "text_delta", "text": piece})
    yield _event("content_block_stop", index=0)
    final = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    yield _event("message_delta", delta=_stop(said), usage={name: usage[name] for name in final})
    yield _event("message_stop")


def _event(kind: str, tokens: int = 0, **fields: object) -> Event:
    return Event({"type": kind, **fields}, name=kind, tokens=tokens)
