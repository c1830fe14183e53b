"""OpenAI, and who speaks its formats.

Sources: https://platform.openai.com/docs/api-reference and what `nbtokens/formats/openai.py` names.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from catalogue.case import Case, events, named_events, plain, tokens

OPENAI: Final = "https://api.openai.com/v1"
ASKED: Final = {"model": "asked-model", "messages": [{"role": "user", "content": "Why is the sky blue?"}]}
STREAMED: Final = {**ASKED, "stream": True}
USAGE: Final = {"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29}
DETAILED: Final = {
    **USAGE,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 6, "audio_tokens": 0},
}
PLAIN: Final = tokens(19, 10)
READ: Final = tokens(19, 10, cached=4, reasoning=6)


def completion(usage: Any = USAGE, **others: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """A chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "Because."}, "finish_reason": "stop"}
    whole = {"id": "chatcmpl-1", "object": "chat.completion", "model": "served-model", "choices": [choice]}
    return plain({**whole, "usage": usage, **others})


def chunk(content: str | None = None, **others: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """A chunk of a streamed one."""
    choices = [] if content is None else [{"index": 0, "delta": {"content": content}, "finish_reason": None}]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "model": "served-model",
        "choices": choices,
        **others,
    }


def chat(name: str, url: str, body: bytes, provider: str | None, **others: Any) -> Case:  # noqa: ANN401 - fields
    """A case of a chat completion."""
    fields: dict[str, Any] = {"api": "openai.chat", "tokens": PLAIN, "model": "served-model", "call_type": "chat"}
    return Case(name, url, others.pop("sent", ASKED), body, provider, **{**fields, **others})


STREAM: Final = events(chunk("Be"), chunk("cause."), chunk(usage=USAGE))
CHAT: Final = f"{OPENAI}/chat/completions"
_CHATS: Final = (
    chat("openai chat", CHAT, completion(DETAILED), "openai", tokens=READ),
    chat("openai chat stream", CHAT, events(chunk("Hi"), chunk(usage=DETAILED)), "openai", sent=STREAMED, tokens=READ),
    chat("openai chat stream that begins with a comment", CHAT, b": hello\n\n" + STREAM, "openai", sent=STREAMED),
    chat("openai chat stream with CRLF", CHAT, STREAM.replace(b"\n", b"\r\n"), "openai", sent=STREAMED),
    chat("openai chat stream without blank lines", CHAT, STREAM.replace(b"\n\n", b"\n"), "openai", sent=STREAMED),
    chat("openai chat behind white space", CHAT, b"\n    \n" + completion(), "openai"),
    chat("openai chat with NaN", CHAT, completion(logprobs=[float("nan"), float("-inf")]), "openai"),
    chat("openai chat with half a character", CHAT, completion(note="HERE").replace(b"HERE", b"\\ud83d"), "openai"),
    chat("openai chat that is not UTF-8", CHAT, completion(note="HERE").replace(b"HERE", b"\xf0\x9f"), "openai"),
    chat("openai chat on a regional host", CHAT.replace("api", "eu.api"), completion(), "openai"),
    chat(
        "azure deployment",
        "https://mine.openai.azure.com/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21",
        completion(model="gpt-4o-2024-08-06"),
        "azure.ai.openai",
        model="gpt-4o-2024-08-06",
    ),
    chat(
        "azure deployment stream whose first chunk names no model",
        "https://mine.openai.azure.com/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21",
        events({**chunk(prompt_filter_results=[]), "id": "", "model": ""}, chunk("Hi"), chunk(usage=USAGE)),
        "azure.ai.openai",
        sent=STREAMED,
    ),
    chat("azure models", "https://x.services.ai.azure.com/models/chat/completions", completion(), "azure.ai.inference"),
    chat(
        "groq stream",
        "https://api.groq.com/openai/v1/chat/completions",
        events(chunk("Hi"), chunk(x_groq={"id": "req_1", "usage": {**USAGE, "queue_time": 0.1}})),
        "groq",
        sent=STREAMED,
    ),
    chat(
        "gemini chat whose thoughts only the total tells",
        "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
        completion({**USAGE, "total_tokens": 129}),
        "gcp.gemini",
        tokens=tokens(19, 110),
    ),
    chat(
        "vertex mistral",
        "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/publishers/mistralai/models"
        "/mistral-small-2503:rawPredict",
        completion(),
        "gcp.vertex_ai",
    ),
    chat(
        "openrouter, where reasoning is counted otherwise than output",
        "https://openrouter.ai/api/v1/chat/completions",
        completion({**USAGE, "completion_tokens_details": {"reasoning_tokens": 12}}),
        "openrouter",
        tokens=tokens(19, 10, reasoning=12),
    ),
    chat(
        "perplexity research",
        "https://api.perplexity.ai/chat/completions",
        completion({**USAGE, "citation_tokens": 7, "num_search_queries": 3, "reasoning_tokens": 50}),
        "perplexity",
        tokens=tokens(19, 60, reasoning=50),
    ),
    chat("groq chat", "https://api.groq.com/openai/v1/chat/completions", completion(x_groq={"id": "req_1"}), "groq"),
    chat(
        "deepseek chat",
        "https://api.deepseek.com/chat/completions",
        completion({**USAGE, "prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 15}),
        "deepseek",
        tokens=tokens(19, 10, cached=4),
    ),
    chat(
        "xai chat counts reasoning beside",
        "https://api.x.ai/v1/chat/completions",
        completion({**DETAILED, "total_tokens": 35, "num_sources_used": 0}),
        "x_ai",
        tokens=tokens(19, 16, cached=4, reasoning=6),
    ),
    chat(
        "openrouter chat",
        "https://openrouter.ai/api/v1/chat/completions",
        completion({**DETAILED, "cost": 0.0001, "is_byok": False}, provider="Google"),
        "openrouter",
        tokens=READ,
    ),
    chat(
        "openrouter stream",
        "https://openrouter.ai/api/v1/chat/completions",
        b": OPENROUTER PROCESSING\n\n" + events(chunk("Hi"), chunk("", usage={**USAGE, "cost": 0.1})),
        "openrouter",
        sent=STREAMED,
    ),
    chat(
        "perplexity stream counts on",
        "https://api.perplexity.ai/chat/completions",
        events(*(chunk("a", usage={**USAGE, "completion_tokens": n, "total_tokens": 19 + n}) for n in (1, 5, 10))),
        "perplexity",
        sent=STREAMED,
    ),
    chat("perplexity chat", "https://api.perplexity.ai/chat/completions", completion(citations=[]), "perplexity"),
    chat(
        "databricks stream counts on",
        "https://dbc-1.cloud.databricks.com/serving-endpoints/chat/completions",
        events(*(chunk("a", usage={**USAGE, "completion_tokens": n, "total_tokens": 19 + n}) for n in (1, 10))),
        "databricks",
        sent=STREAMED,
    ),
    chat(
        "databricks endpoint",
        "https://adb-1.azuredatabricks.net/serving-endpoints/my-endpoint/invocations",
        completion(),
        "databricks",
    ),
    chat(
        "snowflake complete",
        "https://o-a.snowflakecomputing.com/api/v2/cortex/inference:complete",
        completion(),
        "snowflake",
    ),
    chat(
        "snowflake stream",
        "https://o-a.snowflakecomputing.com/api/v2/cortex/v1/chat/completions",
        STREAM,
        "snowflake",
        sent=STREAMED,
    ),
    chat("mistral chat", "https://api.mistral.ai/v1/chat/completions", completion(), "mistral_ai"),
    chat("mistral stream", "https://api.mistral.ai/v1/chat/completions", STREAM, "mistral_ai", sent=STREAMED),
    chat(
        "mistral chat with audio counted beside",
        "https://api.mistral.ai/v1/chat/completions",
        completion({**USAGE, "total_tokens": 404, "prompt_audio_seconds": 30}),
        "mistral_ai",
        tokens=tokens(394, 10),
    ),
    chat("mistral fim", "https://api.mistral.ai/v1/fim/completions", completion(), "mistral_ai"),
    chat("writer chat", "https://api.writer.com/v1/chat", completion(), "writer"),
    chat("writer stream", "https://api.writer.com/v1/chat", STREAM, "writer", sent=STREAMED),
    chat(
        "cloudflare chat",
        "https://api.cloudflare.com/client/v4/accounts/1/ai/v1/chat/completions",
        completion(),
        "cloudflare",
    ),
    chat("portkey chat", "https://api.portkey.ai/v1/chat/completions", completion(), "portkey"),
    chat(
        "bedrock mantle chat",
        "https://bedrock-mantle.us-east-1.api.aws/v1/chat/completions",
        completion(),
        "aws.bedrock",
    ),
    chat("local server", "http://localhost:8000/v1/chat/completions", completion(), None),
    chat("local stream", "http://localhost:8000/v1/chat/completions", STREAM, None, sent=STREAMED),
    chat("local server, request not seen", "http://localhost:8000/v1/chat/completions", completion(), None, sent=None),
    chat(
        "xai deferred answer",
        "https://api.x.ai/v1/chat/deferred-completion/1",
        completion(),
        "x_ai",
        method="GET",
        sent=None,
        model="served-model",
    ),
    *(
        form
        for name, url, provider in (
            ("together", "https://api.together.xyz/v1/chat/completions", "together"),
            ("cerebras", "https://api.cerebras.ai/v1/chat/completions", "cerebras"),
            ("huggingface", "https://router.huggingface.co/v1/chat/completions", "huggingface"),
            ("heroku", "https://us.inference.heroku.com/v1/chat/completions", "heroku"),
            ("zai", "https://api.z.ai/api/paas/v4/chat/completions", "zai"),
            ("fireworks", "https://api.fireworks.ai/inference/v1/chat/completions", "fireworks"),
            ("ai21", "https://api.ai21.com/studio/v1/chat/completions", "ai21"),
            ("crusoe", "https://api.inference.crusoecloud.com/v1/chat/completions", "crusoe"),
        )
        for form in (
            chat(f"{name} chat", url, completion(), provider),
            chat(f"{name} stream", url, STREAM, provider, sent=STREAMED),
        )
    ),
)

_RESPONSE: Final = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "model": "served-model",
    "error": None,
    "output": [{"type": "message", "content": [{"type": "output_text", "text": "Because."}]}],
    "usage": {
        "input_tokens": 19,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 10,
        "output_tokens_details": {"reasoning_tokens": 6},
        "total_tokens": 29,
    },
}
_BEGUN: Final = {**_RESPONSE, "status": "in_progress", "usage": None, "output": []}
_ASKED_RESPONSE: Final = {"model": "asked-model", "input": "Why is the sky blue?"}
_RESPONSES: Final = Case(
    "openai responses",
    f"{OPENAI}/responses",
    _ASKED_RESPONSE,
    plain(_RESPONSE),
    "openai",
    "openai.responses",
    tokens=READ,
    model="served-model",
    call_type="chat",
)
_RESPONSE_STREAM: Final = named_events(
    {"type": "response.created", "response": _BEGUN},
    {"type": "response.output_text.delta", "delta": "Because."},
    {"type": "response.completed", "response": _RESPONSE},
)
_OTHER_RESPONSES: Final = (
    _RESPONSES,
    replace(
        _RESPONSES, name="openai responses stream", sent={**_ASKED_RESPONSE, "stream": True}, body=_RESPONSE_STREAM
    ),
    replace(
        _RESPONSES,
        name="openai compact",
        url=f"{OPENAI}/responses/compact",
        body=plain({**_RESPONSE, "model": None}),
        model="asked-model",
    ),
    replace(
        _RESPONSES,
        name="azure responses",
        url="https://mine.openai.azure.com/openai/v1/responses",
        provider="azure.ai.openai",
    ),
    replace(_RESPONSES, name="xai responses", url="https://api.x.ai/v1/responses", provider="x_ai"),
    replace(_RESPONSES, name="gateway", url="http://localhost:8787/openai/responses", provider=None),
    replace(_RESPONSES, name="openai stored response", url=f"{OPENAI}/responses/resp_1", method="GET", sent=None),
    replace(
        _RESPONSES,
        name="openai responses error event",
        sent={**_ASKED_RESPONSE, "stream": True},
        body=named_events(
            {"type": "response.created", "response": _BEGUN},
            {"type": "error", "code": "server_error", "message": "Oh", "param": None},
        ),
        kind="error",
        error="server_error",
        tokens={},
    ),
    replace(
        _RESPONSES,
        name="openai response failed",
        body=plain({**_BEGUN, "status": "failed", "error": {"code": "server_error", "message": "Oh"}}),
        kind="error",
        error="server_error",
        tokens={},
    ),
)

CASES: Final = (*_CHATS, *_OTHER_RESPONSES)
