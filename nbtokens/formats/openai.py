"""OpenAI's wire formats, which most other providers and local servers speak too.

Sources: https://platform.openai.com/docs/api-reference (chat, completions, responses, embeddings).
"""

from __future__ import annotations

from typing import Final

from nbtokens.formats.table import COMMON_FIELDS, Format

# `prompt_tokens` includes cached and audio tokens, `completion_tokens` includes reasoning.
_CHAT_USAGE: Final = (
    ("prompt_tokens | input_tokens", "input_tokens"),
    ("completion_tokens | output_tokens", "output_tokens"),
    (
        "prompt_tokens_details.cached_tokens | cached_tokens | prompt_cache_hit_tokens | cache_read_input_tokens",
        "cache_read_input_tokens",
    ),
    ("prompt_tokens_details.cache_write_tokens | cache_creation_input_tokens", "cache_creation_input_tokens"),
    ("completion_tokens_details.reasoning_tokens", "reasoning_output_tokens"),
    ("prompt_tokens_details.audio_tokens", "input_audio_tokens"),
    ("completion_tokens_details.audio_tokens", "output_audio_tokens"),
)

CHAT: Final = Format(
    api="openai.chat",
    call_type="chat",
    path=r"/chat/completions",
    request_keys=(("messages",),),
    fields={**COMMON_FIELDS, "finish_reason": ("choices[].finish_reason",)},
    usage_at=("usage", "x_groq.usage"),
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

COMPLETIONS: Final = Format(
    api="openai.completions",
    call_type="text_completion",
    path=r"/completions",
    request_keys=(("prompt",),),
    fields={**COMMON_FIELDS, "finish_reason": ("choices[].finish_reason",)},
    usage=_CHAT_USAGE,
    text=("choices[].text",),
    text_streamed=("choices[].text",),
    usage_on_request="stream_options",
    prompt=("prompt",),
)

RESPONSES: Final = Format(
    api="openai.responses",
    call_type="chat",
    path=r"/responses(/compact)?",
    request_keys=(("input", "prompt", "previous_response_id", "conversation"),),
    fields={**COMMON_FIELDS, "finish_reason": ("incomplete_details.reason", "status")},
    envelopes=("response",),
    usage=(
        ("input_tokens", "input_tokens"),
        ("output_tokens", "output_tokens"),
        ("input_tokens_details.cached_tokens", "cache_read_input_tokens"),
        ("input_tokens_details.cache_write_tokens", "cache_creation_input_tokens"),
        ("output_tokens_details.reasoning_tokens", "reasoning_output_tokens"),
    ),
    last_events=("response.completed", "response.incomplete", "response.failed"),
    text=("output[].content[].text", "output[].name", "output[].arguments"),
    text_streamed=("delta",),
    max_tokens=("max_output_tokens",),
    prompt=("instructions", "tools", "input"),
)

EMBEDDINGS: Final = Format(
    api="openai.embeddings",
    call_type="embeddings",
    path=r"/embeddings",
    request_keys=(("input",),),
    fields=COMMON_FIELDS,
    usage=(("prompt_tokens | input_tokens | total_tokens", "input_tokens"),),
    prompt=("input",),
)
