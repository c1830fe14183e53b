"""Amazon Bedrock: converse, invoke (each model family in its own shape), and agents; SageMaker's endpoints.

Sources: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html (and InvokeModel),
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html, .../agents-test.html#trace-events.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nbtokens.formats import anthropic
from nbtokens.formats.table import Format

_MODEL: Final = r"/model/(?P<model>.+)"
_HEADERS: Final = (
    ("x-amzn-bedrock-input-token-count", "header_input"),
    ("x-amzn-bedrock-output-token-count", "header_output"),
    ("x-amzn-bedrock-cache-read-input-token-count", "header_cache_read"),
    ("x-amzn-bedrock-cache-write-input-token-count", "header_cache_write"),
)
_HEADER_CACHE: Final = (
    ("header_cache_read", "input_tokens"),
    ("header_cache_write", "input_tokens"),
    ("header_cache_read", "cache_read_input_tokens"),
    ("header_cache_write", "cache_creation_input_tokens"),
)

# Converse's inputTokens leave out what was read from or written to the cache.
CONVERSE: Final = Format(
    api="aws.bedrock.converse",
    call_type="chat",
    path=_MODEL + r"/(?:converse|converse-stream)",
    request_models=(),
    request_keys=(("messages",),),
    fields={
        "finish_reason": ("stopReason",),
        "model": ("trace.promptRouter.invokedModelId",),
        "service_tier": ("serviceTier.type",),
    },
    usage=(
        ("inputTokens", "input_tokens"),
        ("cacheReadInputTokens | cacheReadInputTokenCount", "input_tokens"),
        ("cacheWriteInputTokens | cacheWriteInputTokenCount", "input_tokens"),
        ("outputTokens", "output_tokens"),
        ("cacheReadInputTokens | cacheReadInputTokenCount", "cache_read_input_tokens"),
        ("cacheWriteInputTokens | cacheWriteInputTokenCount", "cache_creation_input_tokens"),
        ("cacheDetails[ttl=1h].inputTokens", "cache_creation_1h_input_tokens"),
        ("header_input", "input_tokens"),
        ("header_output", "output_tokens"),
        *_HEADER_CACHE,
    ),
    usage_headers=_HEADERS,
    usage_fields=(),
    text=(
        "output.message.content[].text",
        "output.message.content[].toolUse.name",
        "output.message.content[].toolUse.input",
        "output.message.content[].reasoningContent.reasoningText.text",
    ),
    text_streamed=(
        "delta.text",
        "delta.toolUse.input",
        "delta.reasoningContent.text",
        "start.toolUse.name",
    ),
    max_tokens=("inferenceConfig.maxTokens",),
    prompt=("toolConfig", "system", "messages"),
)

# Claude as in Anthropic's own API; Nova as in converse; Mistral, AI21, DeepSeek, Qwen and gpt-oss as in OpenAI's; Llama
# and Titan have keys of their own. Where the answer itself says nothing, the stream's last event or a header does.
INVOKE: Final = Format(
    api="aws.bedrock.invoke",
    call_type="chat",
    path=_MODEL + r"/(?:invoke|invoke-with-response-stream)",
    request_models=(),
    call_types_by_model=(("embed", "embeddings"), ("rerank", "rerank")),  # Titan's have the same keys for all
    call_types=(("inputText", "text_completion"), ("texts", "embeddings"), ("query", "rerank"), ("taskType", "image")),
    fields={
        "response_id": ("id", "message.id"),
        "model": ("model", "message.model"),
        "finish_reason": (
            "stop_reason",
            "delta.stop_reason",
            "stopReason",
            "choices[].finish_reason",
            "outputs[].stop_reason",
            "results[].completionReason",
            "completionReason",
            "finish_reason",
        ),
    },
    usage_at=("message.usage", "usage", "metadata.usage"),
    usage_else=("amazon-bedrock-invocationMetrics",),
    usage_scalars=(
        "prompt_token_count",
        "generation_token_count",
        "inputTextTokenCount",
        "results[].tokenCount",
    ),
    usage_headers=_HEADERS,
    usage=(
        (
            """input_tokens | prompt_tokens | inputTokens | inputTokenCount | prompt_token_count | inputTextTokenCount
            | header_input""",
            "input_tokens",
        ),
        (
            """output_tokens | completion_tokens | outputTokens | outputTokenCount | generation_token_count | tokenCount
            | header_output""",
            "output_tokens",
        ),
        *anthropic.CACHE_AND_TOOLS,
        ("prompt_tokens_details.cached_tokens", "cache_read_input_tokens"),
        ("completion_tokens_details.reasoning_tokens", "reasoning_output_tokens"),
        ("cacheReadInputTokenCount | cacheReadInputTokens", "input_tokens"),
        ("cacheWriteInputTokenCount | cacheWriteInputTokens", "input_tokens"),
        ("cacheReadInputTokenCount | cacheReadInputTokens", "cache_read_input_tokens"),
        ("cacheWriteInputTokenCount | cacheWriteInputTokens", "cache_creation_input_tokens"),
        *_HEADER_CACHE,
    ),
    usage_fields=(),
    last_events=("message_stop",),
    text=(
        "content[].text",
        "content[].name",
        "content[].input",
        "completion",
        "generation",
        "outputs[].text",
        "results[].outputText",
        "output.message.content[].text",
        "choices[].message.content",
        "choices[].text",
        "generations[].text",
        "text",
    ),
    text_streamed=(
        "delta.text",
        "delta.partial_json",
        "delta.thinking",
        "completion",
        "generation",
        "outputs[].text",
        "outputText",
        "contentBlockDelta.delta.text",
        "choices[].delta.content",
        "text",
    ),
    max_tokens=(
        "max_tokens",
        "max_tokens_to_sample",
        "max_gen_len",
        "textGenerationConfig.maxTokenCount",
        "inferenceConfig.maxTokens",
        "inferenceConfig.max_new_tokens",
    ),
    prompt=("tools", "system", "prompt", "inputText", "texts", "query", "documents", "message", "messages"),
)

# An agent calls models by itself; only a trace, where it is asked for, tells what they used.
_TRACES: Final = ("preProcessingTrace", "orchestrationTrace", "postProcessingTrace", "routingClassifierTrace")
AGENT: Final = Format(
    api="aws.bedrock.agent",
    call_type="invoke_agent",
    path=r"/agents/[^/]+/(?:agentAliases/[^/]+/)?sessions/[^/]+(?:/text)?|/retrieveAndGenerate(?:Stream)?",
    providers=("aws.bedrock",),
    usage_at=tuple(f"trace.{trace}.modelInvocationOutput.metadata.usage" for trace in _TRACES),
    usage_summed=True,
    usage=(("inputTokens", "input_tokens"), ("outputTokens", "output_tokens")),
    text=("output.text",),
    text_streamed=("text", "output.text"),
    opaque=True,
    prompt=("inputText", "input"),
)

SAGEMAKER: Final = Format(
    api="aws.sagemaker",
    call_type="text_completion",
    path=r"/endpoints/(?P<model>[^/]+)/(?:invocations|invocations-response-stream)",
    providers=("aws.sagemaker",),
    request_keys=(("inputs", "messages", "prompt"),),
    shape_always=True,
    call_types=(("messages", "chat"),),
    fields={"response_id": ("id",), "model": ("model",), "finish_reason": ("choices[].finish_reason",)},
    usage=(("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens")),
    text=("generated_text", "choices[].message.content", "choices[].text"),
    text_streamed=("token.text", "choices[].delta.content"),
    max_tokens=("max_tokens", "parameters.max_new_tokens"),
    prompt=("inputs", "prompt", "messages"),
)

# Its path is also that of another service's request, which prepares an agent.
INLINE_AGENT: Final = replace(
    AGENT,
    path=r"/agents/[^/]+",
    request_keys=(("foundationModel",), ("instruction",)),
    shape_always=True,
    request_models=("foundationModel",),
)

FORMATS: Final = (CONVERSE, INVOKE, AGENT, INLINE_AGENT, SAGEMAKER)
