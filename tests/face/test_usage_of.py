"""Usage from the objects that SDKs and frameworks return, made by themselves; and from what resembles them."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import MagicMock

import pytest

import nbtokens
from nbtokens.call import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

CHAT: Final[dict[str, Any]] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-5",
    "service_tier": "flex",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "the answer"}}],
    "usage": {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 40},
        "completion_tokens_details": {"reasoning_tokens": 20},
    },
}
OPENAI: Final = {
    "input_tokens": 100,
    "output_tokens": 50,
    "cache_read_input_tokens": 40,
    "reasoning_output_tokens": 20,
}
SUMMED: Final = {
    "input_tokens": 130,
    "output_tokens": 5,
    "cache_read_input_tokens": 100,
    "cache_creation_input_tokens": 20,
}
FEW: Final = {"input_tokens": 3, "output_tokens": 4}
FEW_SENT: Final = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def sdk(name: str) -> Any:  # noqa: ANN401 - a module
    """A library that not every installation has."""
    return pytest.importorskip(name, reason=f"{name} is not installed (pip install 'nbtokens[sdks]')")


def openai_chat() -> Any:  # noqa: ANN401 - the SDK's type
    return import_module("openai.types.chat").ChatCompletion.model_validate(CHAT)


def openai_response() -> Any:  # noqa: ANN401 - the SDK's type
    return import_module("openai.types.responses").Response.model_construct(
        id="resp_1",
        model="gpt-5",
        usage=import_module("openai.types.responses").ResponseUsage.model_validate(
            {
                "input_tokens": 100,
                "output_tokens": 50,
                "total_tokens": 150,
                "input_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 0},
                "output_tokens_details": {"reasoning_tokens": 20},
            }
        ),
    )


def anthropic_message() -> Any:  # noqa: ANN401 - the SDK's type
    return import_module("anthropic.types").Message.model_validate(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "content": [],
            "model": "claude-sonnet-4-5",
            "stop_reason": "end_turn",
            "usage": {
                "input_tokens": 10,
                "output_tokens": 5,
                "cache_read_input_tokens": 100,
                "cache_creation_input_tokens": 20,
            },
        }
    )


def gemini() -> Any:  # noqa: ANN401 - the SDK's type
    return sdk("google.genai.types").GenerateContentResponse.model_validate(
        {
            "responseId": "g1",
            "modelVersion": "gemini-2.5-pro",
            "usageMetadata": {
                "promptTokenCount": 100,
                "candidatesTokenCount": 30,
                "thoughtsTokenCount": 20,
                "cachedContentTokenCount": 40,
                "totalTokenCount": 150,
            },
        }
    )


def mistral() -> Any:  # noqa: ANN401 - the SDK's type
    kind = sdk("mistralai.client.models").ChatCompletionResponse
    return kind.model_validate({**CHAT, "choices": [], "usage": FEW_SENT, "model": "mistral-small"})


def cohere() -> Any:  # noqa: ANN401 - the SDK's type
    units = {"input_tokens": 3, "output_tokens": 4}
    return sdk("cohere.v2.types").V2ChatResponse.model_validate(
        {"id": "co", "finish_reason": "COMPLETE", "message": {"role": "assistant"}, "usage": {"billed_units": units}}
    )


def ollama() -> Any:  # noqa: ANN401 - the SDK's type
    message = {"role": "assistant", "content": "the answer"}
    return sdk("ollama").ChatResponse(model="qwen3", prompt_eval_count=3, eval_count=4, message=message)


def hugging_face() -> Any:  # noqa: ANN401 - the SDK's type
    kind = sdk("huggingface_hub").ChatCompletionOutput
    return kind.parse_obj({**CHAT, "model": "llama", "usage": FEW_SENT, "system_fingerprint": ""})


def lite() -> Any:  # noqa: ANN401 - the SDK's type
    litellm = sdk("litellm")
    usage = litellm.Usage(
        prompt_tokens=130,
        completion_tokens=5,
        total_tokens=135,
        cache_read_input_tokens=100,
        cache_creation_input_tokens=20,
    )
    return litellm.ModelResponse(id="l1", model="claude", choices=[], usage=usage)


def pydantic_ai() -> Any:  # noqa: ANN401 - the framework's type
    usage = sdk("pydantic_ai.usage").RequestUsage(input_tokens=100, cache_read_tokens=40, output_tokens=50)
    return sdk("pydantic_ai.messages").ModelResponse(
        parts=[], usage=usage, model_name="gpt-5", provider_response_id="p1"
    )


def ai_message() -> Any:  # noqa: ANN401 - the framework's type
    return sdk("langchain_core.messages").AIMessage(
        "the answer",
        id="lc_run--1",
        usage_metadata={
            "input_tokens": 130,
            "output_tokens": 5,
            "total_tokens": 135,
            "input_token_details": {"cache_read": 100, "cache_creation": 20},
        },
        response_metadata={"model_name": "claude", "id": "m1"},
    )


def llm_result() -> Any:  # noqa: ANN401 - the framework's type
    outputs = sdk("langchain_core.outputs")
    return outputs.LLMResult(generations=[[outputs.ChatGeneration(message=ai_message())] * 2])


def chat_result() -> Any:  # noqa: ANN401 - the framework's type
    outputs = sdk("langchain_core.outputs")
    return outputs.ChatResult(generations=[outputs.ChatGeneration(message=ai_message())])


def text_result() -> Any:  # noqa: ANN401 - the framework's type
    outputs = sdk("langchain_core.outputs")
    output = {"token_usage": FEW_SENT, "model_name": "gpt-3.5-turbo-instruct"}
    return outputs.LLMResult(generations=[[outputs.Generation(text="the answer")]], llm_output=output)


def llama_index_chat() -> Any:  # noqa: ANN401 - the framework's type
    llms = sdk("llama_index.core.llms")
    return llms.ChatResponse(message=llms.ChatMessage("the answer"), raw=openai_chat())


def llama_index_completion() -> Any:  # noqa: ANN401 - the framework's type
    return sdk("llama_index.core.llms").CompletionResponse(
        text="the answer", additional_kwargs={**FEW_SENT, "tool_calls": ["the answer"]}
    )


def boto3_converse() -> dict[str, Any]:
    usage = {"inputTokens": 10, "outputTokens": 5, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 20}
    return {"output": {"message": {"content": [{"text": "the answer"}]}}, "usage": usage, "ResponseMetadata": {}}


def boto3_invoke() -> dict[str, Any]:
    headers = {"x-amzn-bedrock-input-token-count": "3", "x-amzn-bedrock-output-token-count": "4"}
    return {"body": object(), "ResponseMetadata": {"HTTPHeaders": headers}}


CASES: Final[list[tuple[Callable[[], Any], dict[str, int], str | None, str | None]]] = [
    (openai_chat, OPENAI, "gpt-5", "chatcmpl-1"),
    (openai_response, {**OPENAI, "cache_creation_input_tokens": 0}, "gpt-5", "resp_1"),
    (anthropic_message, SUMMED, "claude-sonnet-4-5", "msg_1"),
    (gemini, OPENAI, "gemini-2.5-pro", "g1"),
    (mistral, FEW, "mistral-small", "chatcmpl-1"),
    (cohere, FEW, None, "co"),
    (ollama, FEW, "qwen3", None),
    (hugging_face, FEW, "llama", "chatcmpl-1"),
    (lite, SUMMED, "claude", "l1"),
    (pydantic_ai, {"input_tokens": 100, "output_tokens": 50, "cache_read_input_tokens": 40}, "gpt-5", "p1"),
    (ai_message, SUMMED, "claude", "m1"),
    (llm_result, SUMMED, "claude", "m1"),
    (chat_result, SUMMED, "claude", "m1"),
    (text_result, FEW, "gpt-3.5-turbo-instruct", None),
    (llama_index_chat, OPENAI, "gpt-5", "chatcmpl-1"),
    (llama_index_completion, FEW, None, None),
    (boto3_converse, SUMMED, None, None),
    (boto3_invoke, FEW, None, None),
]


@pytest.mark.parametrize(("make", "counts", "model", "response_id"), CASES, ids=[case[0].__name__ for case in CASES])
def test_each_library(
    make: Callable[[], Any], counts: dict[str, int], model: str | None, response_id: str | None
) -> None:
    """Each library's answer tells the same as its HTTP response: cached tokens in the input, reasoning in the output.

    No text of the answer is among what is kept.
    """
    found = nbtokens.usage_of(make())
    assert found is not None
    assert {name: count for name, count in found.tokens.items() if count or name in counts} == counts
    assert (found.model, found.response_id) == (model, response_id)
    assert found.total_tokens == counts["input_tokens"] + counts["output_tokens"]
    assert "the answer" not in str(found.raw_usage)


@pytest.mark.parametrize("make", [openai_chat, anthropic_message, gemini, mistral, lite], ids=lambda one: one.__name__)
def test_as_a_dict(make: Callable[[], Any]) -> None:
    """The same as a dict, by either kind of names, and the usage object alone, tell the same."""
    answer = make()
    found = nbtokens.usage_of(answer)
    assert found is not None
    for by_alias in (False, True):
        same = nbtokens.usage_of(answer.model_dump(by_alias=by_alias))
        assert same is not None
        assert (same.tokens, same.model, same.response_id) == (found.tokens, found.model, found.response_id)
    alone = nbtokens.usage_of(getattr(answer, "usage", None) or answer.usage_metadata)
    assert alone is not None
    assert alone.tokens == found.tokens


def test_several_prompts() -> None:
    """The result of several prompts is the sum of its calls, and has no id of one of them."""
    outputs = sdk("langchain_core.outputs")
    generation = outputs.ChatGeneration(message=ai_message())
    found = nbtokens.usage_of(outputs.LLMResult(generations=[[generation], [generation]]))
    assert found is not None
    assert found.tokens == {name: 2 * count for name, count in SUMMED.items()}
    assert found.response_id is None


def test_tiers_and_times_to_live_of_langchain() -> None:
    """LangChain names cached tokens by the tier, and written ones by their time to live; all of them are read."""
    details = {
        "flex_cache_read": 40,
        "cache_creation": 0,
        "ephemeral_5m_input_tokens": 7,
        "ephemeral_1h_input_tokens": 3,
    }
    found = nbtokens.usage_of({"input_tokens": 90, "output_tokens": 1, "input_token_details": details})
    assert found is not None
    assert (found.cache_read_input_tokens, found.cache_creation_input_tokens) == (40, 10)
    assert found.cache_creation_1h_input_tokens == 3


def test_embeddings() -> None:
    """Embeddings read and write nothing."""
    kind = import_module("openai.types").CreateEmbeddingResponse
    found = nbtokens.usage_of(
        kind.model_validate(
            {"object": "list", "data": [], "model": "e", "usage": {"prompt_tokens": 7, "total_tokens": 7}}
        )
    )
    assert found is not None
    assert (found.input_tokens, found.output_tokens, found.call_type) == (7, 0, "embeddings")


@pytest.mark.parametrize(
    "holder",
    [
        SimpleNamespace(usage=SimpleNamespace(prompt_tokens=3, completion_tokens=4)),
        SimpleNamespace(usage={"input_tokens": 3, "output_tokens": 4}),
        SimpleNamespace(usage_metadata={"prompt_token_count": 3, "candidates_token_count": 4}),
        {"usage": FEW_SENT},
        {"raw": SimpleNamespace(usage=FEW_SENT), "parsed": None},
        {"response": {"body": {"usage": FEW_SENT}}},
        FEW_SENT,
        Usage(input_tokens=3, output_tokens=4),
    ],
    ids=str,
)
def test_whatever_holds_usage(holder: object) -> None:
    """Any object or mapping that holds a usage is read by its shape."""
    found = nbtokens.usage_of(holder)
    assert found is not None
    assert found.tokens == FEW


def test_records(ledger: object) -> None:
    """A record tells its own tokens, and what `usage_of` gave is given back."""
    made = nbtokens.record(model="m", input_tokens=9, output_tokens=1, cache_read_input_tokens=4)
    found = nbtokens.usage_of(made)
    assert found is not None
    assert (found.model, found.input_tokens, found.cache_read_input_tokens) == ("m", 9, 4)
    assert nbtokens.usage_of(found) is found


class _Hostile:
    @property
    def usage(self) -> object:
        raise RuntimeError("not now")


@pytest.mark.parametrize(
    "value",
    [
        None, 7, "text", b"bytes", [], {}, object(), print, MagicMock(), _Hostile(), {"usage": None}, {"usage": {}},
        {"usage": {"prompt_tokens": "many"}}, {"usage": {"prompt_tokens": -1}}, {"usage": {"prompt_tokens": True}},
        {"usage": [1]}, {"generations": [[]]}, Usage(), {"tokens": ["a"]},
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_nothing_to_read(value: object) -> None:
    """Where nothing is reported the answer is None; nothing is guessed, and nothing raises."""
    assert nbtokens.usage_of(value) is None


def test_what_contains_itself() -> None:
    """An object that contains itself has no usage either."""
    knot: dict[str, Any] = {}
    knot["response"] = knot["usage"] = knot
    assert nbtokens.usage_of(knot) is None
