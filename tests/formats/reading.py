"""Reading bodies as the meter reads them, and the bodies that the simulated model sends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from nbtokens.demo import simulated_anthropic, simulated_openai
from nbtokens.demo.simulated_wire import Document
from nbtokens.exchange import Address, Exchange
from nbtokens.formats.recognise import recognise
from nbtokens.formats.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.call import Call
    from nbtokens.demo.simulated_wire import Reply

QUESTION: Final = "Why is the sky blue?"
_CHAT: Final = {"model": "gpt-5", "messages": [{"role": "user", "content": QUESTION}]}
REQUESTS: Final[dict[str, dict[str, Any]]] = {
    "/v1/chat/completions": _CHAT,
    "/v1/completions": {"model": "gpt-5", "prompt": QUESTION, "max_tokens": 99},
    "/v1/responses": {"model": "gpt-5", "input": QUESTION},
    "/v1/embeddings": {"model": "gpt-5", "input": QUESTION},
    "/v1/messages": {**_CHAT, "max_tokens": 99},
}
"""A request for each format, by its path."""
_ANSWERS: Final[dict[str, Callable[[dict[str, Any]], Reply]]] = {
    "/v1/chat/completions": simulated_openai.chat,
    "/v1/completions": simulated_openai.completions,
    "/v1/responses": simulated_openai.responses,
    "/v1/embeddings": simulated_openai.embeddings,
    "/v1/messages": simulated_anthropic.messages,
}
STREAMED: Final = {"stream": True, "stream_options": {"include_usage": True}}


def exchange(path: str, body: bytes, request: dict[str, Any] | None = None, **others: Any) -> Exchange:  # noqa: ANN401
    """An exchange that a transport would hand over.

    Args:
        path: the URL's path.
        body: the response's body.
        request: the request's object; one that fits the path by default.
        **others: other fields of the exchange; `host` is the URL's.
    """
    host = others.pop("host", "127.0.0.1")
    sent = REQUESTS.get(path) if request is None else request
    fields = {"status": 200, "request_body": json.dumps(sent).encode(), **others}
    return Exchange("POST", Address("https", host, None, path), body=body, **fields)


def read(path: str, body: bytes | dict[str, Any], request: dict[str, Any] | None = None, **others: Any) -> Call:  # noqa: ANN401
    """What the format of a path reads out of a response; see `exchange` for the arguments."""
    raw = json.dumps(body).encode() if isinstance(body, dict) else body
    seen = exchange(path, raw, request, **others)
    reader = recognise("POST", path)
    assert reader is not None
    return reader.read(seen, Request(seen.request_body))


def counts(call: Call) -> dict[str, int]:
    """The counts of tokens that a call reports."""
    fields = type(call.usage).__struct_fields__
    return {name: value for name in fields if (value := getattr(call.usage, name)) is not None}


def events(*documents: Any, done: bool = True) -> bytes:  # noqa: ANN401 - any JSON value
    """A stream of server-sent events as OpenAI sends it."""
    parts = [b"data: " + json.dumps(one, separators=(",", ":")).encode() + b"\n\n" for one in documents]
    return b"".join(parts) + (b"data: [DONE]\n\n" if done else b"")


def named_events(*documents: dict[str, Any]) -> bytes:
    """A stream of server-sent events as Anthropic sends it, each with its name."""
    return b"".join(b"event: %b\ndata: %b\n\n" % (one["type"].encode(), json.dumps(one).encode()) for one in documents)


def simulated_body(path: str, **options: Any) -> bytes:  # noqa: ANN401 - keys of a request
    """What the simulated model answers on a path."""
    reply = _ANSWERS[path]({**REQUESTS[path], **options})
    if isinstance(reply, Document):
        return json.dumps(reply.body).encode()
    return b"".join(event.encode() for event in reply.events)
