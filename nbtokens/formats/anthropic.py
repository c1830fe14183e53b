"""Anthropic's messages, which llama.cpp and several gateways speak too.

Source: https://docs.anthropic.com/en/api/messages and .../streaming.
"""

from __future__ import annotations

from typing import Final

from nbtokens.formats.table import COMMON_FIELDS, Format

MESSAGES: Final = Format(
    api="anthropic.messages",
    call_type="chat",
    path=r"/messages",
    request_keys=(("messages",), ("model", "anthropic_version"), ("max_tokens",)),
    fields={**COMMON_FIELDS, "finish_reason": ("stop_reason", "delta.stop_reason")},
    envelopes=("message",),
    # Anthropic's input_tokens leave out what was read from or written to the cache.
    usage=(
        ("input_tokens", "input_tokens"),
        ("cache_read_input_tokens", "input_tokens"),
        ("cache_creation_input_tokens", "input_tokens"),
        ("output_tokens", "output_tokens"),
        ("cache_read_input_tokens", "cache_read_input_tokens"),
        ("cache_creation_input_tokens", "cache_creation_input_tokens"),
        ("cache_creation.ephemeral_1h_input_tokens", "cache_creation_1h_input_tokens"),
        ("output_tokens_details.thinking_tokens", "reasoning_output_tokens"),
        ("server_tool_use.web_search_requests", "web_searches"),
    ),
    last_events=("message_stop",),
    text=("content[].text", "content[].thinking", "content[].name", "content[].input"),
    text_streamed=("delta.text", "delta.thinking", "delta.partial_json", "content_block.name"),
    prompt=("tools", "system", "messages"),
)
