"""OpenAI's wire formats, which most other providers and local servers speak too.

Sources: https://platform.openai.com/docs/api-reference (chat, completions, responses, embeddings, images, audio,
moderations, runs) and, for what others add: https://docs.x.ai/docs/api-reference,
https://api-docs.deepseek.com/api/create-chat-completion, https://console.groq.com/docs/api-reference,
https://docs.mistral.ai/api, https://docs.databricks.com/en/machine-learning/foundation-model-apis/api-reference.html,
https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api, https://dev.writer.com/api-reference.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nbtokens.formats.table import COMMON_FIELDS, Format

# `prompt_tokens` includes cached and audio tokens, `completion_tokens` includes reasoning; where a provider counts
# them beside, its total tells.
_CHAT_USAGE: Final = (
    ("prompt_tokens | input_tokens", "input_tokens"),
    ("completion_tokens | output_tokens", "output_tokens"),
    (
        """prompt_tokens_details.cached_tokens | cached_tokens | prompt_cache_hit_tokens | cache_read_input_tokens
        | prompt_token_details.cached_tokens | input_tokens_details.cached_tokens""",
        "cache_read_input_tokens",
    ),
    (
        """prompt_tokens_details.cache_write_tokens | cache_creation_input_tokens
        | input_tokens_details.cache_write_tokens""",
        "cache_creation_input_tokens",
    ),
    (
        "completion_tokens_details.reasoning_tokens | reasoning_tokens | output_tokens_details.reasoning_tokens",
        "reasoning_output_tokens",
    ),
    ("prompt_tokens_details.audio_tokens | prompt_token_details.audio_tokens", "input_audio_tokens"),
    ("completion_tokens_details.audio_tokens", "output_audio_tokens"),
    ("num_search_queries", "web_searches"),
    # llama.cpp's own, in streams that were not asked for usage.
    ("prompt_n", "input_tokens"),
    ("cache_n", "input_tokens"),
    ("cache_n", "cache_read_input_tokens"),
    ("predicted_n", "output_tokens"),
)
_CHAT_FIELDS: Final = {**COMMON_FIELDS, "finish_reason": ("choices[].finish_reason",)}

CHAT: Final = Format(
    api="openai.chat",
    call_type="chat",
    path=r"/chat/completions|/fim/completions|/agents/completions|/cortex/inference:complete",
    request_keys=(("messages",),),
    fields=_CHAT_FIELDS,
    errors=("choices[].error",),
    usage_at=("usage", "x_groq.usage"),
    usage_else=("timings",),
    usage=_CHAT_USAGE,
    text=(
        "choices[].message.content",
        "choices[].message.reasoning_content",
        "choices[].message.tool_calls[].function.name",
        "choices[].message.tool_calls[].function.arguments",
    ),
    text_streamed=(
        "choices[].delta.content",
        "choices[].delta.reasoning_content",
        "choices[].delta.tool_calls[].function.name",
        "choices[].delta.tool_calls[].function.arguments",
    ),
    usage_on_request="stream_options",
    max_tokens=("max_completion_tokens", "max_tokens"),
    prompt=("tools", "messages"),
)
WRITER_CHAT: Final = replace(CHAT, path=r"/v1/chat", providers=("writer",))
# What is deployed there speaks OpenAI's formats, or something else altogether.
DATABRICKS: Final = replace(
    CHAT,
    path=r"/serving-endpoints/(?P<model>[^/]+)/invocations",
    providers=("databricks",),
    request_keys=(("messages", "input", "prompt"),),
    shape_always=True,
    call_types=(("messages", "chat"), ("prompt", "text_completion"), ("input", "embeddings")),
    prompt=("tools", "prompt", "input", "messages"),
)
# Gemini's thoughts are in the total alone (https://ai.google.dev/gemini-api/docs/openai).
GOOGLE_CHAT: Final = replace(
    CHAT, path=r"/chat/completions", providers=("gcp.gemini", "gcp.vertex_ai"), rest="output_tokens"
)
VERTEX_OTHERS: Final = replace(
    CHAT,
    path=r"/publishers/(?!anthropic/|google/)[^/]+/models/(?P<model>[^/:]+):(?:rawPredict|streamRawPredict)",
)
# https://docs.perplexity.ai/api-reference/async-chat-completions-post
ASYNC_CHAT: Final = replace(
    CHAT,
    path=r"/async/chat/completions",
    request_keys=(("request",),),
    fields={**_CHAT_FIELDS, "progress": ("status",)},
)
RETRIEVED_CHAT: Final = replace(
    CHAT,
    method="GET",
    path=r"/chat/completions/[\w-]+|/chat/deferred-completion/[\w-]+",
    envelopes=("response",),
    request_keys=(),
)

COMPLETIONS: Final = Format(
    api="openai.completions",
    call_type="text_completion",
    path=r"/completions",
    request_keys=(("prompt",),),
    fields=_CHAT_FIELDS,
    usage=_CHAT_USAGE,
    usage_else=("timings",),
    text=("choices[].text", "choices[].message.content"),
    text_streamed=("choices[].text", "choices[].delta.content", "value"),
    usage_on_request="stream_options",
    prompt=("prompt",),
)

RESPONSES: Final = Format(
    api="openai.responses",
    call_type="chat",
    path=r"/responses(/compact)?",
    request_keys=(("input", "prompt", "previous_response_id", "conversation"),),
    fields={
        **COMMON_FIELDS,
        "finish_reason": ("incomplete_details.reason", "status"),
        "progress": ("status",),
    },
    envelopes=("response",),
    usage=(
        ("input_tokens", "input_tokens"),
        ("output_tokens", "output_tokens"),
        (
            "input_tokens_details.cached_tokens | input_tokens_details.cache_read_input_tokens",
            "cache_read_input_tokens",
        ),
        ("input_tokens_details.cache_write_tokens", "cache_creation_input_tokens"),
        ("output_tokens_details.reasoning_tokens", "reasoning_output_tokens"),
        ("tool_calls_details.search_web.invocation", "web_searches"),
    ),
    last_events=("response.completed", "response.incomplete", "response.failed"),
    text=("output[].content[].text", "output[].name", "output[].arguments"),
    text_streamed=("delta",),
    max_tokens=("max_output_tokens",),
    prompt=("instructions", "tools", "input"),
)
RETRIEVED_RESPONSE: Final = replace(RESPONSES, method="GET", path=r"/responses/(?!compact)[\w.-]+", request_keys=())

EMBEDDINGS: Final = Format(
    api="openai.embeddings",
    call_type="embeddings",
    path=r"/embeddings|/multimodalembeddings|/contextualizedembeddings|/cortex/inference:embed",
    request_keys=(("input", "inputs", "text", "prompt"),),
    fields=COMMON_FIELDS,
    usage=(("prompt_tokens | input_tokens | total_tokens", "input_tokens"),),
    prompt=("input",),
)

RERANK: Final = Format(
    api="rerank",
    call_type="rerank",
    path=r"/v\d/rerank",
    request_keys=(("query",), ("documents",)),
    fields=COMMON_FIELDS,
    usage_at=("usage", "meta.billed_units"),
    usage=(("input_tokens | prompt_tokens | total_tokens", "input_tokens"), ("output_tokens", "output_tokens")),
    prompt=("query", "documents"),
    countable=False,  # many are billed by the search
)

IMAGES: Final = Format(
    api="openai.images",
    call_type="image",
    path=r"/images/(?:generations|edits|variations)",
    request_keys=(("prompt", "image", "images"),),
    fields={"model": ("model",)},
    usage=(
        ("input_tokens | prompt_tokens", "input_tokens"),
        ("output_tokens | completion_tokens", "output_tokens"),
        ("input_tokens_details.cached_tokens", "cache_read_input_tokens"),
        ("input_tokens_details.image_tokens", "input_image_tokens"),
        ("output_tokens_details.image_tokens", "output_image_tokens"),
    ),
    prompt=("prompt",),
    countable=False,
)

TRANSCRIPTION: Final = Format(
    api="openai.audio",
    call_type="transcription",
    path=r"/audio/(?:transcriptions|translations)",
    request_keys=(("model",),),
    fields={"model": ("model",)},
    usage=(
        ("input_tokens | prompt_tokens", "input_tokens"),
        ("output_tokens | completion_tokens", "output_tokens"),
        ("input_token_details.audio_tokens", "input_audio_tokens"),
        ("seconds", "audio_seconds"),
    ),
    last_events=("transcript.text.done",),
    opaque=True,
    countable=False,
)

SPEECH: Final = Format(
    api="openai.speech",
    call_type="speech",
    path=r"/audio/speech",
    request_keys=(("input",), ("voice",)),
    usage=(("input_tokens", "input_tokens"), ("output_tokens", "output_tokens")),
    last_events=("speech.audio.done",),
    opaque=True,
    prompt=("input",),
    countable=False,
)

MODERATIONS: Final = Format(
    api="openai.moderations",
    call_type="moderation",
    path=r"/v1/moderations|/chat/moderations",
    request_keys=(("input",),),
    fields={"response_id": ("id",), "model": ("model",)},
    usage=(("prompt_tokens", "input_tokens"),),
    prompt=("input",),
    countable=False,
)

# A run of an assistant answers later, but for its streams.
_RUN: Final = Format(
    api="openai.runs",
    call_type="invoke_agent",
    path=r"/threads/[\w-]+/runs(?:/[\w-]+/submit_tool_outputs)?|/threads/runs",
    request_keys=(("assistant_id", "tool_outputs"),),
    fields={**COMMON_FIELDS, "finish_reason": ("incomplete_details.reason", "status"), "progress": ("status",)},
    usage=_CHAT_USAGE,
    text=("content[].text.value",),
    text_streamed=("delta.content[].text.value",),
    max_tokens=("max_completion_tokens",),
)
RUNS: Final = _RUN
RETRIEVED_RUN: Final = replace(_RUN, method="GET", path=r"/threads/[\w-]+/runs/[\w-]+", request_keys=())

FORMATS: Final = (
    ASYNC_CHAT,
    GOOGLE_CHAT,
    CHAT,
    WRITER_CHAT,
    DATABRICKS,
    VERTEX_OTHERS,
    RETRIEVED_CHAT,
    COMPLETIONS,
    RESPONSES,
    RETRIEVED_RESPONSE,
    EMBEDDINGS,
    RERANK,
    IMAGES,
    TRANSCRIPTION,
    SPEECH,
    MODERATIONS,
    RUNS,
    RETRIEVED_RUN,
)
