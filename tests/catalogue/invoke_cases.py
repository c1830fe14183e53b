"""Bedrock's invoke: each family of models in its own shape, plain and streamed.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from catalogue.anthropic_cases import READ, message, stream
from catalogue.case import JSON, Case, chunk_frames, plain, tokens
from catalogue.openai_cases import USAGE

RUNTIME: Final = "https://bedrock-runtime.us-east-1.amazonaws.com/model"
EVENTS: Final = {"content-type": "application/vnd.amazon.eventstream"}
_COUNTED: Final = {
    **JSON,
    "x-amzn-bedrock-input-token-count": "19",
    "x-amzn-bedrock-output-token-count": "10",
}
_METRICS: Final = {"inputTokenCount": 19, "outputTokenCount": 10, "invocationLatency": 1, "firstByteLatency": 1}
ASKED: Final = {"messages": [{"role": "user", "content": [{"text": "Why?"}]}], "inferenceConfig": {"maxTokens": 9}}


def invoke(name: str, asked: str, sent: dict[str, Any], answer: Any, **others: Any) -> Case:  # noqa: ANN401 - fields
    """A model invoked at once."""
    fields: dict[str, Any] = {"tokens": tokens(19, 10), "model": asked.replace("%3A", ":"), **others}
    return Case(
        f"bedrock {name}",
        f"{RUNTIME}/{asked}/invoke",
        sent,
        plain(answer),
        "aws.bedrock",
        "aws.bedrock.invoke",
        **fields,
    )


def invoke_stream(name: str, asked: str, sent: dict[str, Any], *documents: Any, **others: Any) -> Case:  # noqa: ANN401 - fields
    """A model that answers in a stream."""
    whole = invoke(f"{name} stream", asked, sent, {}, headers=EVENTS, **others)
    return replace(whole, url=f"{whole.url}-with-response-stream", body=chunk_frames(*documents))


_PROMPT: Final = {"prompt": "Why?"}
_CLAUDE: Final = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "Why?"}],
}
_NOVA: Final = {
    "inputTokens": 10,
    "outputTokens": 10,
    "totalTokens": 20,
    "cacheReadInputTokenCount": 5,
    "cacheWriteInputTokenCount": 4,
}
_LAST: Final = {"amazon-bedrock-invocationMetrics": _METRICS}
CASES: Final = (
    invoke("claude", "anthropic.claude-3-haiku-20240307-v1%3A0", _CLAUDE, message(), tokens=READ, model="served-model"),
    invoke_stream(
        "claude",
        "anthropic.claude-3-haiku-20240307-v1%3A0",
        _CLAUDE,
        *stream({"output_tokens": 10})[:-1],
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": {**_METRICS, "inputTokenCount": 999}},
        tokens=READ,
        model="served-model",
    ),
    invoke(
        "claude 2",
        "anthropic.claude-v2",
        _PROMPT,
        {"completion": " Because.", "stop_reason": "stop_sequence"},
        headers=_COUNTED,
    ),
    invoke_stream("claude 2", "anthropic.claude-v2", _PROMPT, {"completion": " Because."}, {"completion": "", **_LAST}),
    invoke(
        "claude without its figures",
        "anthropic.claude-v3",
        _CLAUDE,
        message(None),
        headers=_COUNTED,
        model="served-model",
    ),
    invoke(
        "nova",
        "amazon.nova-lite-v1%3A0",
        ASKED,
        {"output": {"message": {"content": [{"text": "Hi"}]}}, "stopReason": "end_turn", "usage": _NOVA},
        tokens=READ,
    ),
    invoke_stream(
        "nova",
        "amazon.nova-lite-v1%3A0",
        ASKED,
        {"contentBlockDelta": {"delta": {"text": "Hi"}}},
        {"metadata": {"usage": _NOVA}, **_LAST},
        tokens=READ,
    ),
    invoke(
        "llama",
        "meta.llama3-8b-instruct-v1%3A0",
        _PROMPT,
        {"generation": "Because.", "prompt_token_count": 19, "generation_token_count": 10, "stop_reason": "stop"},
    ),
    invoke_stream(
        "llama",
        "meta.llama3-8b-instruct-v1%3A0",
        _PROMPT,
        {"generation": "Be", "prompt_token_count": 19, "generation_token_count": 1, "stop_reason": None},
        {
            "generation": "cause.",
            "prompt_token_count": None,
            "generation_token_count": 10,
            "stop_reason": "stop",
            **_LAST,
        },
    ),
    invoke(
        "mistral",
        "mistral.mistral-7b-instruct-v0%3A2",
        _PROMPT,
        {"outputs": [{"text": "Because.", "stop_reason": "stop"}]},
        headers=_COUNTED,
    ),
    invoke_stream(
        "mistral",
        "mistral.mistral-7b-instruct-v0%3A2",
        _PROMPT,
        {"outputs": [{"text": "Because.", "stop_reason": "stop"}], **_LAST},
    ),
    invoke(
        "titan",
        "amazon.titan-text-express-v1",
        {"inputText": "Why?"},
        {
            "inputTextTokenCount": 19,
            "results": [{"tokenCount": 10, "outputText": "Because.", "completionReason": "FINISH"}],
        },
        call_type="text_completion",
    ),
    invoke_stream(
        "titan",
        "amazon.titan-text-express-v1",
        {"inputText": "Why?"},
        {"outputText": "Because.", "index": 0, "totalOutputTextTokenCount": 10, "inputTextTokenCount": 19, **_LAST},
    ),
    invoke(
        "titan embedding",
        "amazon.titan-embed-text-v2%3A0",
        {"inputText": "Why?"},
        {"embedding": [0.1], "inputTextTokenCount": 8},
        tokens=tokens(8, 0),
        call_type="embeddings",
    ),
    invoke(
        "cohere embeddings",
        "cohere.embed-english-v3",
        {"texts": ["Why?"], "input_type": "search_query"},
        {"embeddings": [[0.1]], "id": "1"},
        headers={**JSON, "x-amzn-bedrock-input-token-count": "8"},
        tokens=tokens(8, 0),
        call_type="embeddings",
    ),
    invoke(
        "command r",
        "cohere.command-r-v1%3A0",
        {"message": "Why?"},
        {"text": "Because.", "generation_id": "1", "finish_reason": "COMPLETE"},
        headers=_COUNTED,
    ),
    invoke(
        "jamba",
        "ai21.jamba-1-5-mini-v1%3A0",
        {"messages": []},
        {"id": "1", "choices": [{"message": {"content": "Hi"}}], "usage": USAGE},
    ),
    invoke(
        "jurassic",
        "ai21.j2-mid-v1",
        _PROMPT,
        {
            "id": 1234,
            "prompt": {"text": "Why?", "tokens": []},
            "completions": [{"data": {"text": "Because.", "tokens": []}}],
        },
        headers=_COUNTED,
    ),
    invoke(
        "gpt-oss",
        "openai.gpt-oss-20b-1%3A0",
        {"messages": []},
        {"id": "1", "model": "openai.gpt-oss-20b-1:0", "choices": [], "usage": USAGE},
    ),
    invoke(
        "cohere rerank",
        "cohere.rerank-v3-5%3A0",
        {"query": "Why?", "documents": ["a"]},
        {"results": [{"index": 0, "relevance_score": 0.5}]},
        kind="no_usage",
        tokens={},
        call_type="rerank",
    ),
)
