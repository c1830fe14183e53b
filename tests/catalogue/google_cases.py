"""Google: Gemini and Vertex AI.

Sources: https://ai.google.dev/api/generate-content, .../embeddings, .../interactions-api,
https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from catalogue.case import Case, events, plain, tokens

_MODELS: Final = "https://generativelanguage.googleapis.com/v1beta/models/asked-model"
_VERTEX: Final = "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/publishers/google/models/asked-model"
_ASKED: Final = {"contents": [{"role": "user", "parts": [{"text": "Why is the sky blue?"}]}]}
USAGE: Final = {
    "promptTokenCount": 12,
    "toolUsePromptTokenCount": 7,
    "cachedContentTokenCount": 4,
    "candidatesTokenCount": 4,
    "thoughtsTokenCount": 6,
    "totalTokenCount": 29,
}
READ: Final = tokens(19, 10, cached=4, reasoning=6)


def part(text: str, usage: Any = None, **others: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """A response, or a part of a streamed one."""
    candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0, "finishReason": "STOP"}
    body = {"candidates": [candidate], "modelVersion": "served-model", "responseId": "r1", **others}
    return body if usage is None else {**body, "usageMetadata": usage}


_PLAIN: Final = Case(
    "gemini",
    f"{_MODELS}:generateContent",
    _ASKED,
    plain(part("Because.", USAGE)),
    "gcp.gemini",
    "google.generate_content",
    tokens=READ,
    model="served-model",
    call_type="generate_content",
)
_PARTS: Final = (
    part("Be", {"trafficType": "ON_DEMAND"}),
    part("cau", {"promptTokenCount": 12, "totalTokenCount": 12}),
    part("se.", {**USAGE, "trafficType": "ON_DEMAND"}),
)
_ARRAY: Final = b"[" + b"\n,\r\n".join(plain(one) for one in _PARTS) + b"\n]\n"
_STREAM: Final = replace(
    _PLAIN,
    name="gemini stream",
    url=f"{_MODELS}:streamGenerateContent?alt=sse",
    body=events(*_PARTS, done=False).replace(b"\n", b"\r\n"),
)
_EMBED: Final = {"content": {"parts": [{"text": "Why?"}]}}
_INTERACTION: Final = {
    "id": "int_1",
    "object": "interaction",
    "status": "completed",
    "model": "served-model",
    "steps": [],
    "usage": {
        "total_input_tokens": 19,
        "total_output_tokens": 4,
        "total_thought_tokens": 6,
        "total_cached_tokens": 4,
        "total_tokens": 29,
    },
}
_INTERACT: Final = Case(
    "gemini interaction",
    "https://generativelanguage.googleapis.com/v1beta/interactions",
    {"model": "asked-model", "input": "Why?"},
    plain(_INTERACTION),
    "gcp.gemini",
    "google.interactions",
    tokens=READ,
    model="served-model",
)
CASES: Final = (
    _PLAIN,
    _STREAM,
    replace(
        _PLAIN,
        name="gemini that repeats its model",
        sent={**_ASKED, "model": "models/asked-model"},
        body=plain(part("Because.", USAGE, modelVersion=None)),
        model="asked-model",
    ),
    replace(_PLAIN, name="vertex", url=f"{_VERTEX}:generateContent", provider="gcp.vertex_ai"),
    replace(_STREAM, name="vertex stream", url=f"{_VERTEX}:streamGenerateContent?alt=sse", provider="gcp.vertex_ai"),
    replace(_STREAM, name="gemini stream as an array", url=f"{_MODELS}:streamGenerateContent", body=_ARRAY),
    replace(
        _STREAM,
        name="gemini stream as an array that is not closed",
        url=f"{_MODELS}:streamGenerateContent",
        body=_ARRAY.rstrip()[:-1],
    ),
    replace(
        _PLAIN,
        name="gemini blocked",
        body=plain(
            {
                "promptFeedback": {"blockReason": "SAFETY"},
                "usageMetadata": {"promptTokenCount": 12, "totalTokenCount": 12},
                "modelVersion": "served-model",
            }
        ),
        tokens=tokens(12, 0),
    ),
    replace(
        _PLAIN,
        name="gemini that names no version",
        body=plain(part("Because.", USAGE, modelVersion=None)),
        model="asked-model",
    ),
    replace(
        _PLAIN,
        name="gemini refused",
        body=plain({"error": {"code": 429, "message": "Quota", "status": "RESOURCE_EXHAUSTED"}}),
        status=429,
        kind="error",
        error="429",
        tokens={},
        model="asked-model",
    ),
    replace(
        _STREAM,
        name="gemini array of errors",
        body=plain([{"error": {"code": 503, "message": "Busy", "status": "UNAVAILABLE"}}]),
        url=f"{_MODELS}:streamGenerateContent",
        status=503,
        kind="error",
        error="503",
        tokens={},
        model="asked-model",
    ),
    Case(
        "gemini embedding",
        f"{_MODELS}:embedContent",
        _EMBED,
        plain({"embedding": {"values": [0.1]}, "usageMetadata": {"promptTokenCount": 8}}),
        "gcp.gemini",
        "google.embed_content",
        tokens=tokens(8, 0),
        model="asked-model",
        call_type="embeddings",
    ),
    Case(
        "gemini embeddings",
        f"{_MODELS}:batchEmbedContents",
        {"requests": [_EMBED]},
        plain({"embeddings": [{"values": [0.1]}]}),
        "gcp.gemini",
        "google.embed_content",
        kind="no_usage",
        model="asked-model",
    ),
    Case(
        "vertex embeddings",
        f"{_VERTEX}:predict",
        {"instances": [{"content": "Why?"}, {"content": "How?"}]},
        plain(
            {
                "predictions": [
                    {"embeddings": {"values": [0.1], "statistics": {"truncated": False, "token_count": 4.0}}}
                ]
                * 2
            }
        ),
        "gcp.vertex_ai",
        "google.predict",
        tokens=tokens(8, 0),
        model="asked-model",
    ),
    Case(
        "vertex PaLM",
        f"{_VERTEX.replace('asked-model', 'text-bison')}:predict",
        {"instances": [{"prompt": "Why?"}]},
        plain(
            {
                "predictions": [{"content": "Because."}],
                "metadata": {
                    "tokenMetadata": {
                        "inputTokenCount": {"totalTokens": 19, "totalBillableCharacters": 60},
                        "outputTokenCount": {"totalTokens": 10},
                    }
                },
            }
        ),
        "gcp.vertex_ai",
        "google.predict",
        tokens=tokens(19, 10),
        model="text-bison",
    ),
    Case(
        "gemini video",
        f"{_MODELS}:predictLongRunning",
        {"instances": [{"prompt": "sea"}]},
        plain({"name": "operations/1"}),
        "gcp.gemini",
        "google.predict",
        kind="no_usage",
        model="asked-model",
    ),
    _INTERACT,
    replace(
        _INTERACT,
        name="gemini interaction stream",
        sent={"model": "asked-model", "input": "Why?", "stream": True},
        body=events(
            {
                "event_type": "interaction.start",
                "interaction": {"id": "int_1", "status": "in_progress", "model": "served-model"},
            },
            {"event_type": "content.delta", "delta": {"type": "text", "text": "Because."}},
            {"event_type": "interaction.complete", "interaction": _INTERACTION},
        ),
    ),
    replace(_INTERACT, name="gemini stored interaction", url=f"{_INTERACT.url}/int_1", sent=None, method="GET"),
)
