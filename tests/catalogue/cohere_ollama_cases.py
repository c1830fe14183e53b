"""Cohere, version 1 and 2, and Ollama.

Sources: https://docs.cohere.com/reference/chat, https://github.com/ollama/ollama/blob/main/docs/api.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from catalogue.case import Case, lines, named_events, plain, tokens

_MESSAGES: Final = [{"role": "user", "content": "Why?"}]
_READ: Final = tokens(19, 10)
_BILLED: Final = {
    "billed_units": {"input_tokens": 19, "output_tokens": 10},
    "tokens": {"input_tokens": 90, "output_tokens": 11},
}
_OLLAMA: Final = {
    "model": "served-model",
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 19,
    "eval_count": 10,
}
_PART: Final = {"model": "served-model", "done": False}
_COHERE: Final = Case(
    "cohere v2 chat",
    "https://api.cohere.com/v2/chat",
    {"model": "asked-model", "messages": _MESSAGES},
    plain(
        {
            "id": "1",
            "message": {"content": [{"type": "text", "text": "Hi"}]},
            "finish_reason": "COMPLETE",
            "usage": _BILLED,
        }
    ),
    "cohere",
    "cohere.v2.chat",
    tokens=_READ,
    model="asked-model",
)
_COHERE_V1: Final = Case(
    "cohere v1 chat",
    "https://api.cohere.com/v1/chat",
    {"model": "asked-model", "message": "Why?"},
    plain(
        {
            "generation_id": "1",
            "text": "Because.",
            "finish_reason": "COMPLETE",
            "meta": {"api_version": {"version": "1"}, **_BILLED},
        }
    ),
    "cohere",
    "cohere.v1.chat",
    tokens=_READ,
    model="asked-model",
)
_OLLAMA_CHAT: Final = Case(
    "ollama chat",
    "http://localhost:11434/api/chat",
    {"model": "asked-model", "messages": _MESSAGES, "stream": False},
    plain({**_OLLAMA, "message": {"role": "assistant", "content": "Because."}}),
    None,
    "ollama.chat",
    tokens=_READ,
    model="served-model",
)
CASES: Final = (
    _COHERE,
    replace(
        _COHERE,
        name="cohere v2 stream",
        sent={"model": "asked-model", "messages": _MESSAGES, "stream": True},
        body=named_events(
            {"type": "message-start", "id": "1", "delta": {"message": {"role": "assistant"}}},
            {"type": "content-delta", "delta": {"message": {"content": {"text": "Because."}}}},
            {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": _BILLED}},
        ),
    ),
    _COHERE_V1,
    replace(
        _COHERE_V1,
        name="cohere v1 stream",
        sent={"model": "asked-model", "message": "Why?", "stream": True},
        body=lines(
            {"is_finished": False, "event_type": "stream-start", "generation_id": "1"},
            {"is_finished": False, "event_type": "text-generation", "text": "Because."},
            {"is_finished": True, "event_type": "stream-end", "response": {"text": "Because.", "meta": _BILLED}},
        ),
    ),
    replace(
        _COHERE_V1,
        name="cohere v1 chat through a gateway",
        url="https://gateway.ai.cloudflare.com/v1/account/gateway/cohere/v1/chat",
        provider="cloudflare",
    ),
    Case(
        "cohere generate",
        "https://api.cohere.com/v1/generate",
        {"model": "asked-model", "prompt": "Why?"},
        plain({"id": "1", "generations": [{"text": "Hi"}], "meta": _BILLED}),
        "cohere",
        "cohere.v1.generate",
        tokens=_READ,
        model="asked-model",
    ),
    Case(
        "cohere embeddings",
        "https://api.cohere.com/v2/embed",
        {"model": "asked-model", "texts": ["Why?"]},
        plain({"id": "1", "embeddings": {}, "meta": {"billed_units": {"input_tokens": 8}}}),
        "cohere",
        "cohere.embed",
        tokens=tokens(8, 0),
        model="asked-model",
        call_type="embeddings",
    ),
    _OLLAMA_CHAT,
    replace(
        _OLLAMA_CHAT,
        name="ollama chat stream",
        sent={"model": "asked-model", "messages": _MESSAGES},
        body=lines(
            {**_PART, "message": {"content": "Be"}},
            {**_PART, "message": {"content": "cause."}},
            {**_OLLAMA, "message": {"content": ""}},
        ),
    ),
    replace(_OLLAMA_CHAT, name="ollama cloud", url="https://ollama.com/api/chat", provider="ollama_cloud"),
    replace(
        _OLLAMA_CHAT, name="ollama that wrote nothing", body=plain({**_OLLAMA, "eval_count": 0}), tokens=tokens(19, 0)
    ),
    replace(
        _OLLAMA_CHAT,
        name="ollama without the model",
        body=plain({"error": "model 'x' not found"}),
        status=404,
        kind="error",
        error="HTTP 404",
        tokens={},
        model="asked-model",
    ),
    replace(
        _OLLAMA_CHAT,
        name="ollama stream that breaks",
        body=lines({**_PART, "message": {"content": ""}}, {"error": "out of memory"}),
        kind="error",
        error="error in the answer",
        tokens={},
    ),
    Case(
        "ollama generate stream",
        "http://localhost:11434/api/generate",
        {"model": "asked-model", "prompt": "Why?"},
        lines({**_PART, "response": "Because."}, {**_OLLAMA, "response": "", "context": [1]}),
        None,
        "ollama.generate",
        tokens=_READ,
        model="served-model",
    ),
    Case(
        "ollama embeddings",
        "http://localhost:11434/api/embed",
        {"model": "asked-model", "input": "Why?"},
        plain({"model": "served-model", "embeddings": [[0.1]], "prompt_eval_count": 8}),
        None,
        "ollama.embed",
        tokens=tokens(8, 0),
        model="served-model",
    ),
)
