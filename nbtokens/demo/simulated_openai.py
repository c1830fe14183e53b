"""OpenAI's wire formats, as the simulated server speaks them: chat, completions, responses, embeddings, models."""

from __future__ import annotations

import base64
import struct
import time
from typing import TYPE_CHECKING, Any

from nbtokens.demo.simulated_text import MODEL, Answer, BadRequestError, answer, count_tokens, embed, prompt_of
from nbtokens.demo.simulated_wire import Document, Event, Json, Reply, Stream, limit_in, new_id

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIMENSIONS = 64
_DONE = Event("[DONE]")


def error(problem: BadRequestError) -> Json:
    """OpenAI's body for a request that it refuses."""
    return {
        "error": {
            "message": str(problem),
            "type": "invalid_request_error",
            "param": problem.param,
            "code": problem.code,
        },
    }


def chat(body: Json) -> Reply:
    """`POST /v1/chat/completions`."""
    _require(body, "model", "messages")
    said = answer(prompt_of(body, "messages"), limit_in(body, "max_completion_tokens", "max_tokens"))
    head: Json = {"id": new_id("chatcmpl-"), "object": "chat.completion", "created": int(time.time()), "model": MODEL}
    if body.get("stream"):
        return Stream(_chunks(body, said, {**head, "object": "chat.completion.chunk"}, _chat_choices(said)))
    message: Json = {"role": "assistant", "content": said.text, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(said)}
    return Document({**head, "choices": [choice], "usage": _usage(said), "service_tier": "default"}, said.output_tokens)


def completions(body: Json) -> Reply:
    """`POST /v1/completions`, the older interface: a text to continue. Without a limit it stops at 16 tokens."""
    _require(body, "model", "prompt")
    said = answer(prompt_of(body, "prompt"), limit_in(body, "max_tokens") or 16)
    head: Json = {"id": new_id("cmpl-"), "object": "text_completion", "created": int(time.time()), "model": MODEL}
    if body.get("stream"):
        return Stream(_chunks(body, said, head, _text_choices(said)))
    choice = _text_choice(said.text, _finish_reason(said))
    return Document({**head, "choices": [choice], "usage": _usage(said)}, said.output_tokens)


def responses(body: Json) -> Reply:
    """`POST /v1/responses`."""
    _require(body, "model", "input")
    said = answer(prompt_of(body, "instructions", "input"), limit_in(body, "max_output_tokens"))
    response = _open_response(body)
    if body.get("stream"):
        return Stream(_response_events(response, said))
    return Document(_closed_response(response, said, new_id("msg_")), said.output_tokens)


def embeddings(body: Json) -> Reply:
    """`POST /v1/embeddings`: one vector for each text, as floats or, as OpenAI's own client asks, in base64."""
    _require(body, "model", "input")
    given = body["input"]
    texts = given if isinstance(given, list) and not all(isinstance(item, int) for item in given) else [given]
    dimensions = limit_in(body, "dimensions") or _DIMENSIONS
    vectors = [embed(str(text), dimensions) for text in texts]
    encoded = [_base64(vector) for vector in vectors] if body.get("encoding_format") == "base64" else vectors
    tokens = sum(len(text) if isinstance(text, list) else count_tokens(str(text)) for text in texts)
    return Document(
        {
            "object": "list",
            "data": [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(encoded)],
            "model": MODEL,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        },
    )


def models() -> Document:
    """`GET /v1/models`: the one model that there is."""
    return Document(
        {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "nbtokens"}]},
    )


def _require(body: Json, *names: str) -> None:
    for name in names:
        if name not in body:
            raise BadRequestError(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")
        if body[name] == []:
            raise BadRequestError(
                f"Invalid '{name}': empty array. Expected an array with minimum length 1.",
                name,
                "empty_array",
            )
        if not isinstance(body[name], (list, str)):
            raise BadRequestError(f"Invalid type for '{name}'.", name, "invalid_type")


def _finish_reason(said: Answer) -> str:
    return "length" if said.truncated else "stop"


def _usage(said: Answer) -> Json:
    return {
        "prompt_tokens": said.input_tokens,
        "completion_tokens": said.output_tokens,
        "total_tokens": said.input_tokens + said.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _chunks(body: Json, said: Answer, head: Json, choices: Iterator[Json]) -> Iterator[Event]:
    """A streamed answer; as with OpenAI, its usage comes only if asked for, in a chunk of its own without choices."""
    with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    waiting: Json = {"usage": None} if with_usage else {}
    for choice in choices:
        token = choice.get("text") or choice.get("delta", {}).get("content")
        yield Event({**head, "choices": [choice], **waiting}, tokens=1 if token else 0)
    if with_usage:
        yield Event({**head, "choices": [], "usage": _usage(said)})
    yield _DONE


def _chat_choices(said: Answer) -> Iterator[Json]:
    def choice(delta: Json, finish_reason: str | None = None) -> Json:
        return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}

    yield choice({"role": "assistant", "content": "", "refusal": None})
    for piece in said.pieces:
        yield choice({"content": piece})
    yield choice({}, _finish_reason(said))


def _text_choice(text: str, finish_reason: str | None) -> Json:
    return {"text": text, "index": 0, "logprobs": None, "finish_reason": finish_reason}


def _text_choices(said: Answer) -> Iterator[Json]:
    for piece in said.pieces:
        yield _text_choice(piece, None)
    yield _text_choice("", _finish_reason(said))


def _base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _open_response(body: Json) -> Json:
    """A response that has just begun."""
    return {
        "id": new_id("resp_"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": MODEL,
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "service_tier": "default",
        "temperature": body.get("temperature", 1.0),
        "tool_choice": "auto",
        "tools": body.get("tools", []),
        "top_p": 1.0,
        "usage": None,
        "metadata": {},
    }


def _closed_response(response: Json, said: Answer, message_id: str) -> Json:
    return {
        **response,
        "status": _status(said),
        "incomplete_details": {"reason": "max_output_tokens"} if said.truncated else None,
        "output": [_message(message_id, _status(said), [_output_text(said.text)])],
        "usage": {
            "input_tokens": said.input_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": said.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": said.input_tokens + said.output_tokens,
        },
    }


def _status(said: Answer) -> str:
    return "incomplete" if said.truncated else "completed"


def _message(message_id: str, status: str, content: list[Json]) -> Json:
    return {"id": message_id, "type": "message", "status": status, "content": content, "role": "assistant"}


def _output_text(text: str) -> Json:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _response_events(response: Json, said: Answer) -> Iterator[Event]:
    """The events of a streamed response, numbered in their order. There is no `[DONE]` in this format."""
    for number, event in enumerate(_unnumbered_events(response, said)):
        assert isinstance(event.data, dict)
        yield event._replace(data={**event.data, "sequence_number": number}, name=event.data["type"])


def _unnumbered_events(response: Json, said: Answer) -> Iterator[Event]:
    message_id = new_id("msg_")
    item: Json = {"output_index": 0}
    part: Json = {"item_id": message_id, "output_index": 0, "content_index": 0}
    finished = _closed_response(response, said, message_id)

    def event(kind: str, tokens: int = 0, **fields: Any) -> Event:  # noqa: ANN401  # any JSON value
        return Event({"type": f"response.{kind}", **fields}, tokens=tokens)

    yield event("created", response=response)
    yield event("in_progress", response=response)
    yield event("output_item.added", **item, item=_message(message_id, "in_progress", []))
    yield event("content_part.added", **part, part=_output_text(""))
    for piece in said.pieces:
        yield event("output_text.delta", tokens=1, **part, delta=piece, logprobs=[])
    yield event("output_text.done", **part, text=said.text, logprobs=[])
    yield event("content_part.done", **part, part=_output_text(said.text))
    yield event("output_item.done", **item, item=finished["output"][0])
    yield event(_status(said), response=finished)
