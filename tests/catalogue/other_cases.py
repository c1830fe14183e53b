"""What went wrong with HTTP 200, and what is no call of a model at all."""

from __future__ import annotations

from typing import Any, Final

from catalogue.case import Case, events, plain
from catalogue.openai_cases import ASKED, CHAT, STREAMED, USAGE, chat, chunk, completion

_PROSE: Final = "the prompt 'my secret' is refused"


def wrong(name: str, body: bytes, error: str, **others: Any) -> Case:  # noqa: ANN401 - fields
    """A chat completion that failed."""
    url, provider = others.pop("url", CHAT), others.pop("provider", "openai")
    fields: dict[str, Any] = {"kind": "error", "error": error, "tokens": {}, "model": "asked-model", **others}
    return chat(name, url, body, provider, **fields)


def nothing(name: str, url: str, sent: Any, body: bytes, method: str = "POST") -> Case:  # noqa: ANN401 - any JSON value
    """An exchange that is no call of a model."""
    return Case(name, url, sent, body, kind="not_a_call", method=method)


_GROQ: Final = "https://api.groq.com/openai/v1/chat/completions"
_FAILED: Final = {"error": {"message": _PROSE, "type": "invalid_request_error", "code": "tool_use_failed"}}
ERRORS: Final = (
    wrong(
        "groq error in a stream",
        b"event: error\n" + events(_FAILED),
        "invalid_request_error",
        url=_GROQ,
        provider="groq",
        sent=STREAMED,
    ),
    wrong(
        "error event that only its name tells",
        b'event: error\ndata: {"message": "Oh"}\n\n',
        "error in the answer",
        sent=STREAMED,
    ),
    wrong("vllm error in a stream", events({"object": "error", "message": _PROSE, "code": 400}), "400", sent=STREAMED),
    wrong(
        "error in the middle of a stream",
        events(chunk("Be"), {"error": {"code": 502, "message": _PROSE}}),
        "502",
        sent=STREAMED,
        model="served-model",
    ),
    wrong(
        "openrouter error in a choice",
        completion(None, choices=[{"error": {"code": 502, "message": _PROSE}}]),
        "502",
        url="https://openrouter.ai/api/v1/chat/completions",
        provider="openrouter",
        model="served-model",
    ),
    wrong(
        "azure content filter",
        plain({"error": {"code": "content_filter", "message": _PROSE, "status": 400}}),
        "content_filter",
    ),
    wrong(
        "xai refused",
        plain({"code": "invalid-argument", "error": _PROSE}),
        "invalid-argument",
        url="https://api.x.ai/v1/chat/completions",
        provider="x_ai",
        status=400,
    ),
    wrong(
        "mistral refused",
        plain({"detail": _PROSE}),
        "HTTP 401",
        url="https://api.mistral.ai/v1/chat/completions",
        provider="mistral_ai",
        status=401,
    ),
    wrong(
        "openai rate limit", plain({"error": {"type": "tokens", "code": "rate_limit_exceeded"}}), "tokens", status=429
    ),
    wrong("gateway without an answer", b"<html>Bad gateway</html>", "HTTP 502", status=502),
    wrong(
        "page in place of an answer",
        b"<html>Hello</html>",
        "unreadable body (text/html)",
        headers={"content-type": "text/html"},
    ),
    wrong("empty answer with an error", b"", "HTTP 500", status=500),
)

_ANTHROPIC: Final = "https://api.anthropic.com/v1"
_GEMINI: Final = "https://generativelanguage.googleapis.com/v1beta"
_OPENAI: Final = "https://api.openai.com/v1"
_BEDROCK: Final = "https://bedrock-runtime.us-east-1.amazonaws.com"
_COUNTED: Final = plain({"input_tokens": 19})
_LIST: Final = plain({"object": "list", "data": []})
NO_CALLS: Final = (
    nothing("anthropic counting", f"{_ANTHROPIC}/messages/count_tokens", ASKED, _COUNTED),
    nothing("anthropic batch", f"{_ANTHROPIC}/messages/batches", {"requests": []}, plain({"id": "msgbatch_1"})),
    nothing(
        "anthropic batch status", f"{_ANTHROPIC}/messages/batches/msgbatch_1", None, plain({"id": "msgbatch_1"}), "GET"
    ),
    nothing("anthropic models", f"{_ANTHROPIC}/models", None, _LIST, "GET"),
    nothing("anthropic file", f"{_ANTHROPIC}/files/file_1", None, plain({"id": "file_1"}), "DELETE"),
    nothing(
        "gemini counting",
        f"{_GEMINI}/models/gemini-2.5-flash:countTokens",
        {"contents": []},
        plain({"totalTokens": 19}),
    ),
    nothing(
        "gemini cache", f"{_GEMINI}/cachedContents", {"contents": []}, plain({"usageMetadata": {"totalTokenCount": 19}})
    ),
    nothing("gemini batch", f"{_GEMINI}/models/g:batchGenerateContent", {"batch": {}}, plain({"name": "batches/1"})),
    nothing(
        "gemini batch of embeddings",
        f"{_GEMINI}/models/g:asyncBatchEmbedContent",
        {"batch": {}},
        plain({"name": "batches/1"}),
    ),
    nothing(
        "gemini file store", f"{_GEMINI}/fileSearchStores", {"displayName": "x"}, plain({"name": "fileSearchStores/1"})
    ),
    nothing(
        "bedrock counting",
        f"{_BEDROCK}/model/anthropic.claude-v2/count-tokens",
        {"input": {}},
        plain({"inputTokens": 19}),
    ),
    nothing(
        "bedrock guardrail",
        f"{_BEDROCK}/guardrail/g/version/1/apply",
        {"source": "INPUT"},
        plain({"usage": {"topicPolicyUnits": 1}}),
    ),
    nothing(
        "bedrock agent prepared",
        "https://bedrock-agent.us-east-1.amazonaws.com/agents/A1/",
        None,
        plain({"agentId": "A1"}),
    ),
    nothing(
        "openai counting",
        f"{_OPENAI}/responses/input_tokens",
        {"input": "Why?"},
        plain({"object": "response.input_tokens", "input_tokens": 19}),
    ),
    nothing("openai models", f"{_OPENAI}/models", None, _LIST, "GET"),
    nothing("openai thread", f"{_OPENAI}/threads", {}, plain({"id": "thread_1"})),
    nothing(
        "openai message of a thread",
        f"{_OPENAI}/threads/thread_1/messages",
        {"role": "user", "content": "Why?"},
        plain({"id": "msg_1"}),
    ),
    nothing("openai assistant", f"{_OPENAI}/assistants", {"model": "gpt-5"}, plain({"id": "asst_1"})),
    nothing("openai vector store", f"{_OPENAI}/vector_stores/vs_1/search", {"query": "Why?"}, plain({"data": []})),
    nothing(
        "openai batch",
        f"{_OPENAI}/batches",
        {"input_file_id": "f"},
        plain({"id": "batch_1", "usage": {"input_tokens": 19, "output_tokens": 10}}),
    ),
    nothing(
        "openai batch status",
        f"{_OPENAI}/batches/batch_1",
        None,
        plain({"id": "batch_1", "usage": {"input_tokens": 19, "output_tokens": 10}}),
        "GET",
    ),
    nothing(
        "openai fine-tuning",
        f"{_OPENAI}/fine_tuning/jobs",
        {"model": "gpt-5"},
        plain({"id": "ftjob_1", "trained_tokens": None}),
    ),
    nothing(
        "openai file of something else",
        f"{_OPENAI}/files/file-1/content",
        None,
        b'{"prompt": "a", "completion": "b"}\n',
        "GET",
    ),
    nothing("openai client secret", f"{_OPENAI}/realtime/client_secrets", {"session": {}}, plain({"value": "ek_1"})),
    nothing(
        "openai response taken back",
        f"{_OPENAI}/responses/resp_1/cancel",
        None,
        plain({"id": "resp_1", "status": "cancelled"}),
    ),
    nothing(
        "cohere tokens",
        "https://api.cohere.com/v1/tokenize",
        {"model": "m", "text": "Why?"},
        plain({"tokens": [1], "token_strings": ["a"]}),
    ),
    nothing("vllm tokens", "http://localhost:8000/tokenize", {"model": "m", "prompt": "Why?"}, plain({"count": 19})),
    nothing(
        "ollama loads a model",
        "http://localhost:11434/api/generate",
        {"model": "m"},
        plain({"model": "m", "done": True, "done_reason": "load"}),
    ),
    nothing("ollama models", "http://localhost:11434/api/tags", None, plain({"models": []}), "GET"),
    nothing(
        "watsonx tokens",
        "https://us-south.ml.cloud.ibm.com/ml/v1/text/tokenization",
        {"model_id": "m", "input": "a"},
        plain({"result": {"token_count": 19}}),
    ),
    nothing(
        "vector database",
        "https://x.svc.pinecone.io/query",
        {"vector": [0.1]},
        plain({"matches": [], "usage": {"readUnits": 5}}),
    ),
    nothing("vector database's model list", "https://api.pinecone.io/models", None, plain({"models": []}), "GET"),
    nothing(
        "tools by protocol",
        "http://localhost:8081/mcp",
        {"jsonrpc": "2.0", "method": "tools/call"},
        b'event: message\ndata: {"jsonrpc": "2.0"}\n\n',
    ),
    nothing("telemetry", "https://collector.example.com/v1/traces", {"resourceSpans": []}, plain({"usage": USAGE})),
    nothing("somebody's own chat", "https://app.example.com/v1/chat", {"message": "Why?"}, plain({"text": "Because."})),
    nothing("somebody's own messages", "https://app.example.com/messages", {"text": "Why?"}, plain({"id": 1})),
    nothing("hub", "https://huggingface.co/api/models/x/revision/main", None, plain({"id": "x"}), "GET"),
)
CASES: Final = (*ERRORS, *NO_CALLS)
