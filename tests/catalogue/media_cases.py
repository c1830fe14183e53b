"""Embeddings, reranking, images, sound, older completions and assistants in OpenAI's formats, and who speaks them.

Sources: https://platform.openai.com/docs/api-reference, https://docs.voyageai.com/reference,
https://docs.x.ai/docs/api-reference, https://docs.mistral.ai/api.
"""

from __future__ import annotations

from typing import Any, Final

from catalogue.case import Case, events, plain, tokens
from catalogue.openai_cases import OPENAI, PLAIN, USAGE, chunk

_EMBEDDED: Final = {"object": "list", "data": [{"embedding": [0.1]}], "model": "served-model"}
_TEXT: Final = {"model": "asked-model", "input": ["Why?"]}
_RANKED: Final = {"object": "list", "data": [{"index": 0, "relevance_score": 0.5}], "model": "served-model"}
_RANK: Final = {"model": "asked-model", "query": "Why?", "documents": ["a", "b"]}
_FORM: Final = (
    b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nasked-model\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\r\n--x--\r\n'
)
_SOUND: Final = {"type": "tokens", "total_tokens": 47, "input_tokens": 37, "output_tokens": 10}
_RUN: Final = {"id": "run_1", "object": "thread.run", "model": "served-model", "assistant_id": "asst_1"}
_OLD: Final = {"id": "cmpl-1", "object": "text_completion", "model": "served-model", "choices": [{"text": "Because."}]}
_PROMPT: Final = {"model": "asked-model", "prompt": "Why is the sky blue?"}


def case(name: str, url: str, sent: Any, body: bytes, provider: str | None, api: str, **others: Any) -> Case:  # noqa: ANN401, PLR0913, PLR0917 - fields
    """A case whose answer names its model."""
    return Case(name, url, sent, body, provider, api, **{"model": "served-model", **others})


def embeddings(name: str, url: str, usage: dict[str, int], provider: str | None, **others: Any) -> Case:  # noqa: ANN401 - fields
    """A case of embeddings, which write nothing."""
    body = plain({**_EMBEDDED, "usage": usage})
    fields: dict[str, Any] = {"tokens": tokens(8, 0), "call_type": "embeddings", **others}
    return case(name, url, others.pop("sent", _TEXT), body, provider, "openai.embeddings", **fields)


_EIGHT: Final = {"prompt_tokens": 8, "total_tokens": 8}
CASES: Final = (
    embeddings("openai embeddings", f"{OPENAI}/embeddings", _EIGHT, "openai"),
    embeddings("voyage embeddings", "https://api.voyageai.com/v1/embeddings", {"total_tokens": 8}, "voyageai"),
    embeddings(
        "voyage images and text",
        "https://api.voyageai.com/v1/multimodalembeddings",
        {"text_tokens": 5, "image_pixels": 2000, "total_tokens": 8},
        "voyageai",
    ),
    embeddings(
        "mistral embeddings", "https://api.mistral.ai/v1/embeddings", {**_EIGHT, "completion_tokens": 0}, "mistral_ai"
    ),
    embeddings("openrouter embeddings", "https://openrouter.ai/api/v1/embeddings", {**_EIGHT}, "openrouter"),
    embeddings("perplexity embeddings", "https://api.perplexity.ai/v1/embeddings", _EIGHT, "perplexity"),
    embeddings(
        "azure embeddings", "https://x.openai.azure.com/openai/deployments/e/embeddings", _EIGHT, "azure.ai.openai"
    ),
    embeddings("local embeddings", "http://localhost:8000/v1/embeddings", _EIGHT, None),
    case(
        "openai completions",
        f"{OPENAI}/completions",
        _PROMPT,
        plain({**_OLD, "usage": USAGE}),
        "openai",
        "openai.completions",
        tokens=PLAIN,
        call_type="text_completion",
    ),
    case(
        "openai completions that only echo",
        f"{OPENAI}/completions",
        {**_PROMPT, "echo": True, "max_tokens": 0},
        plain({**_OLD, "usage": {"prompt_tokens": 5, "total_tokens": 5}}),
        "openai",
        "openai.completions",
        tokens=tokens(5, 0),
    ),
    case(
        "openai completions stream",
        f"{OPENAI}/completions",
        {**_PROMPT, "stream": True},
        events(_OLD, {**_OLD, "choices": [], "usage": USAGE}),
        "openai",
        "openai.completions",
        tokens=PLAIN,
    ),
    case(
        "portkey prompt",
        "https://api.portkey.ai/v1/prompts/pp-1/completions",
        {"variables": {}},
        plain({"id": "1", "model": "served-model", "choices": [], "usage": USAGE}),
        "portkey",
        "openai.completions",
        tokens=PLAIN,
    ),
    case(
        "voyage rerank",
        "https://api.voyageai.com/v1/rerank",
        _RANK,
        plain({**_RANKED, "usage": {"total_tokens": 8}}),
        "voyageai",
        "rerank",
        tokens=tokens(8, 0),
    ),
    case(
        "together rerank",
        "https://api.together.xyz/v1/rerank",
        _RANK,
        plain({**_RANKED, "usage": _EIGHT}),
        "together",
        "rerank",
        tokens=tokens(8, 0),
    ),
    case(
        "cohere rerank",
        "https://api.cohere.com/v2/rerank",
        _RANK,
        plain({"id": "1", "results": [], "meta": {"billed_units": {"search_units": 1}}}),
        "cohere",
        "rerank",
        kind="no_usage",
        model="asked-model",
    ),
    case(
        "openai image",
        f"{OPENAI}/images/generations",
        {"model": "gpt-image-1", "prompt": "a cat"},
        plain(
            {
                "created": 1,
                "data": [{"b64_json": ""}],
                "usage": {
                    "input_tokens": 8,
                    "output_tokens": 1056,
                    "total_tokens": 1064,
                    "input_tokens_details": {"text_tokens": 8, "image_tokens": 0},
                },
            }
        ),
        "openai",
        "openai.images",
        tokens=tokens(8, 1056),
        model="gpt-image-1",
        call_type="image",
    ),
    case(
        "openai image without figures",
        f"{OPENAI}/images/generations",
        {"model": "dall-e-2", "prompt": "a cat"},
        plain({"created": 1, "data": []}),
        "openai",
        "openai.images",
        kind="no_usage",
        model="dall-e-2",
    ),
    case(
        "openai transcription",
        f"{OPENAI}/audio/transcriptions",
        _FORM,
        plain({"text": "Because.", "usage": _SOUND}),
        "openai",
        "openai.audio",
        tokens=tokens(37, 10),
        model="asked-model",
        call_type="transcription",
    ),
    case(
        "openai transcription stream",
        f"{OPENAI}/audio/transcriptions",
        _FORM,
        events(
            {"type": "transcript.text.delta", "delta": "Be"},
            {"type": "transcript.text.done", "text": "Because.", "usage": _SOUND},
            done=False,
        ),
        "openai",
        "openai.audio",
        tokens=tokens(37, 10),
        model="asked-model",
    ),
    case(
        "openai transcription by the second",
        f"{OPENAI}/audio/transcriptions",
        _FORM,
        plain({"text": "Because.", "usage": {"type": "duration", "seconds": 4}}),
        "openai",
        "openai.audio",
        kind="no_usage",
        model="asked-model",
    ),
    case(
        "openai transcription as text",
        f"{OPENAI}/audio/transcriptions",
        _FORM,
        b"Because.\n",
        "openai",
        "openai.audio",
        kind="no_usage",
        model="asked-model",
        headers={"content-type": "text/plain"},
    ),
    case(
        "openai speech",
        f"{OPENAI}/audio/speech",
        {"model": "asked-model", "input": "Hi", "voice": "alloy"},
        b"\xff\xf3\x00" * 9,
        "openai",
        "openai.speech",
        kind="no_usage",
        model="asked-model",
        headers={"content-type": "audio/mpeg"},
    ),
    case(
        "openai moderation",
        f"{OPENAI}/moderations",
        _TEXT,
        plain({"id": "1", "model": "served-model", "results": []}),
        "openai",
        "openai.moderations",
        kind="no_usage",
        call_type="moderation",
    ),
    case(
        "openai run that is stored",
        f"{OPENAI}/threads/thread_1/runs/run_1",
        None,
        plain({**_RUN, "status": "completed", "usage": USAGE}),
        "openai",
        "openai.runs",
        tokens=PLAIN,
        method="GET",
    ),
    case(
        "openai run that goes on",
        f"{OPENAI}/threads/thread_1/runs/run_1",
        None,
        plain({**_RUN, "status": "in_progress", "usage": None}),
        "openai",
        "openai.runs",
        kind="not_a_call",
        method="GET",
    ),
    case(
        "openai run stream",
        f"{OPENAI}/threads/thread_1/runs",
        {"assistant_id": "asst_1", "stream": True},
        events(
            {**_RUN, "status": "queued", "usage": None},
            {"id": "msg_1", "object": "thread.message.delta"},
            {**_RUN, "status": "completed", "usage": USAGE},
        ),
        "openai",
        "openai.runs",
        tokens=PLAIN,
    ),
    case(
        "local stream without figures",
        "http://localhost:8000/v1/chat/completions",
        {"model": "asked-model", "messages": [], "stream": True},
        events(chunk("Because.")),
        None,
        "openai.chat",
        kind="no_usage",
    ),
)
