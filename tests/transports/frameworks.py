"""SDKs and frameworks beyond OpenAI's and Anthropic's: each makes one call, sync or async, whole or streamed.

Each function gives what its SDK gives: a result, an awaitable of one, or an iterator of either kind. What an SDK needs
is imported when it is called; `NEEDS` says which modules that are.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from servers import Answer, as_json, event

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Piece

    Call = Callable[[str, bool, bool], Any]

QUESTION: Final = "Why is the sky blue?"
MESSAGES: Final = [{"role": "user", "content": QUESTION}]
ALIVE: Final[list[Any]] = []
"""The clients that were made: some close when nobody holds them, in the middle of their own streams."""
_USAGE: Final = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
_HEAD: Final = {"id": "chatcmpl-1", "created": 1_790_000_000, "model": "gpt-5"}
_SSE: Final = {"content-type": "text/event-stream"}


def google_genai(url: str, asynchronous: bool, stream: bool) -> Any:  # noqa: ANN401, FBT001
    client = import_module("google.genai").Client(api_key="none", http_options={"base_url": url})
    ALIVE.append(client)
    models = client.aio.models if asynchronous else client.models
    make = models.generate_content_stream if stream else models.generate_content
    return make(model="gemini-2.5-flash", contents=QUESTION)


def mistralai(url: str, asynchronous: bool, stream: bool) -> Any:  # noqa: ANN401, FBT001
    client = import_module("mistralai.client").Mistral(api_key="none", server_url=url)
    ALIVE.append(client)
    name = ("stream" if stream else "complete") + ("_async" if asynchronous else "")
    return getattr(client.chat, name)(model="mistral-small-latest", messages=MESSAGES)


def groq(url: str, asynchronous: bool, stream: bool) -> Any:  # noqa: ANN401, FBT001
    module = import_module("groq")
    client = (module.AsyncGroq if asynchronous else module.Groq)(api_key="none", base_url=url, max_retries=0)
    ALIVE.append(client)
    return client.chat.completions.create(model="openai/gpt-oss-20b", messages=MESSAGES, stream=stream)


def cohere(url: str, asynchronous: bool, stream: bool) -> Any:  # noqa: ANN401, FBT001
    module = import_module("cohere")
    client = (module.AsyncClientV2 if asynchronous else module.ClientV2)(api_key="none", base_url=url)
    ALIVE.append(client)
    return (client.chat_stream if stream else client.chat)(model="command-a-03-2025", messages=MESSAGES)


def ollama(url: str, asynchronous: bool, stream: bool) -> Any:  # noqa: ANN401, FBT001
    module = import_module("ollama")
    client = (module.AsyncClient if asynchronous else module.Client)(host=url)
    ALIVE.append(client)
    return client.chat(model="gemma3", messages=MESSAGES, stream=stream)


def huggingface_hub(url: str, asynchronous: bool, stream: bool) -> Any:  # noqa: ANN401, FBT001
    module = import_module("huggingface_hub")
    client = (module.AsyncInferenceClient if asynchronous else module.InferenceClient)(base_url=url, api_key="none")
    ALIVE.append(client)
    return client.chat_completion(model="gpt-5", messages=MESSAGES, stream=stream)


def litellm(url: str, asynchronous: bool, stream: bool) -> Any:  # noqa: ANN401, FBT001
    module = import_module("litellm")
    make = module.acompletion if asynchronous else module.completion
    return make(model="openai/gpt-5", api_base=f"{url}/v1", api_key="none", messages=MESSAGES, stream=stream)


def langchain_openai(url: str, asynchronous: bool, stream: bool) -> Any:  # noqa: ANN401, FBT001
    chat = import_module("langchain_openai").ChatOpenAI(base_url=f"{url}/v1", api_key="none", model="gpt-5")
    return getattr(chat, ("a" if asynchronous else "") + ("stream" if stream else "invoke"))(QUESTION)


def llama_index(url: str, asynchronous: bool, stream: bool) -> Any:  # noqa: ANN401, FBT001
    model = import_module("llama_index.llms.openai").OpenAI(
        api_base=f"{url}/v1", api_key="none", model="gpt-4o", max_retries=0
    )
    return getattr(model, ("a" if asynchronous else "") + ("stream_complete" if stream else "complete"))(QUESTION)


def pydantic_ai(url: str, asynchronous: bool, stream: bool) -> Any:  # noqa: ANN401, FBT001
    model = import_module("pydantic_ai.models.openai").OpenAIChatModel
    provider = import_module("pydantic_ai.providers.openai").OpenAIProvider(base_url=f"{url}/v1", api_key="none")
    agent = import_module("pydantic_ai").Agent(model("gpt-5", provider=provider))
    if stream:
        return _streamed(agent) if asynchronous else agent.run_stream_sync(QUESTION).stream_text()
    return agent.run(QUESTION) if asynchronous else agent.run_sync(QUESTION)


async def _streamed(agent: Any) -> Any:  # noqa: ANN401 - an asynchronous iterator
    async with agent.run_stream(QUESTION) as response:
        async for text in response.stream_text():
            yield text


NEEDS: Final[dict[Call, str]] = {
    google_genai: "google.genai",
    mistralai: "mistralai",
    groq: "groq",
    cohere: "cohere",
    ollama: "ollama",
    huggingface_hub: "huggingface_hub",
    litellm: "litellm",
    langchain_openai: "langchain_openai",
    llama_index: "llama_index.llms.openai",
    pydantic_ai: "pydantic_ai",
}
"""The module of each SDK."""


def _openai() -> tuple[Answer, list[bytes], dict[str, str]]:
    message = {"role": "assistant", "content": "Because."}
    whole = {**_HEAD, "object": "chat.completion", "usage": _USAGE}
    whole["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
    part = {**_HEAD, "object": "chat.completion.chunk", "usage": None}
    said = {**part, "choices": [{"index": 0, "delta": message, "finish_reason": None}]}
    end = {**part, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    return as_json(whole), [event(said) * 2, event(end), event({**part, "choices": [], "usage": _USAGE})], _SSE


def _google() -> tuple[Answer, list[bytes], dict[str, str]]:
    usage = {"promptTokenCount": 7, "candidatesTokenCount": 5, "totalTokenCount": 12}
    content = {"role": "model", "parts": [{"text": "Because."}]}
    said = {"candidates": [{"content": content, "index": 0}], "modelVersion": "gemini-2.5-flash"}
    end = {**said, "candidates": [{"content": content, "finishReason": "STOP", "index": 0}], "usageMetadata": usage}
    return as_json(end), [event(said), event(said), event(end)], _SSE


def _cohere() -> tuple[Answer, list[bytes], dict[str, str]]:
    usage = {"billed_units": {"input_tokens": 7, "output_tokens": 5}, "tokens": {"input_tokens": 9, "output_tokens": 6}}
    text = {"type": "text", "text": "Because."}
    message = {"role": "assistant", "content": [text]}
    whole = as_json({"id": "1", "finish_reason": "COMPLETE", "message": message, "usage": usage})
    start = {"type": "message-start", "id": "1", "delta": {"message": {**message, "content": []}}}
    said = {"type": "content-delta", "index": 0, "delta": {"message": {"content": text}}}
    end = {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}}
    return whole, [event(start) + event(said), event(said), event(end)], _SSE


def _ollama() -> tuple[Answer, list[bytes], dict[str, str]]:
    said = {"model": "gemma3", "created_at": "2026-11-22T04:00:00Z", "done": False}
    said["message"] = {"role": "assistant", "content": "Because."}
    end = {**said, "done": True, "done_reason": "stop", "prompt_eval_count": 7, "eval_count": 5}
    lines = [as_json(one).body + b"\n" for one in (said, said, end)]
    return as_json(end), lines, {"content-type": "application/x-ndjson"}


_OTHERS: Final[dict[Call, Callable[[], tuple[Answer, list[bytes], dict[str, str]]]]] = {
    google_genai: _google,
    cohere: _cohere,
    ollama: _ollama,
}


def answer_for(call: Call, stream: bool, *between: Piece) -> Answer:  # noqa: FBT001
    """What the server answers: 7 input tokens, 5 output tokens. `between` comes after the first piece of a stream."""
    whole, pieces, headers = _OTHERS.get(call, _openai)()
    if not stream:
        return whole
    done = [b"data: [DONE]\n\n"] if call not in _OTHERS else []
    return Answer(headers=headers, pieces=[pieces[0], *between, *pieces[1:], *done])
