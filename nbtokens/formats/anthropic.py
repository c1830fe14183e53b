"""Anthropic's messages, which llama.cpp, Vertex AI and several gateways speak too, and the older completions.

Sources: https://docs.anthropic.com/en/api/messages and .../streaming, .../complete.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nbtokens.formats.table import COMMON_FIELDS, Format

# Anthropic's input_tokens leave out what was read from or written to the cache.
CACHE_AND_TOOLS: Final = (
    ("cache_read_input_tokens", "input_tokens"),
    ("cache_creation_input_tokens", "input_tokens"),
    ("cache_read_input_tokens", "cache_read_input_tokens"),
    ("cache_creation_input_tokens", "cache_creation_input_tokens"),
    ("cache_creation.ephemeral_1h_input_tokens", "cache_creation_1h_input_tokens"),
    ("output_tokens_details.thinking_tokens", "reasoning_output_tokens"),
    ("server_tool_use.web_search_requests", "web_searches"),
)
USAGE: Final = (("input_tokens", "input_tokens"), ("output_tokens", "output_tokens"), *CACHE_AND_TOOLS)

MESSAGES: Final = Format(
    api="anthropic.messages",
    call_type="chat",
    path=r"\A(?!.*/threads/).*/messages",  # OpenAI's threads have messages of another kind
    request_keys=(("messages",), ("model", "anthropic_version"), ("max_tokens",)),
    fields={**COMMON_FIELDS, "finish_reason": ("stop_reason", "delta.stop_reason")},
    envelopes=("message",),
    usage=USAGE,
    last_events=("message_stop",),
    text=("content[].text", "content[].thinking", "content[].name", "content[].input"),
    text_streamed=("delta.text", "delta.thinking", "delta.partial_json", "content_block.name"),
    prompt=("tools", "system", "messages"),
)
# https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude
VERTEX_MESSAGES: Final = replace(
    MESSAGES, path=r"/publishers/anthropic/models/(?P<model>[^/:]+):(?:rawPredict|streamRawPredict)"
)

COMPLETE: Final = Format(
    api="anthropic.complete",
    call_type="text_completion",
    path=r"/v1/complete",
    request_keys=(("prompt",), ("max_tokens_to_sample",)),
    fields={**COMMON_FIELDS, "finish_reason": ("stop_reason",)},
    usage=USAGE,
    text=("completion",),
    text_streamed=("completion",),
    max_tokens=("max_tokens_to_sample",),
    prompt=("prompt",),
)

FORMATS: Final = (MESSAGES, VERTEX_MESSAGES, COMPLETE)
