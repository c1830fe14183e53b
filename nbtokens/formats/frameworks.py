"""Usage as frameworks count it that have a convention of their own, whatever the provider's."""

from __future__ import annotations

from typing import Final

from nbtokens.formats.table import Format


def _tiered(details: str, name: str) -> str:
    """LangChain's OpenAI package puts the service tier before a name."""
    return " | ".join(f"{details}.{tier}{name}" for tier in ("", "priority_", "flex_"))


# https://reference.langchain.com/python/langchain-core/messages/ai/UsageMetadata: every kind is included in
# `input_tokens` and `output_tokens`. Providers' packages put their tiers and the time to live before the names.
LANGCHAIN: Final = Format(
    api="langchain",
    call_type="chat",
    path="",
    usage=(
        ("input_tokens", "input_tokens"),
        ("output_tokens", "output_tokens"),
        (_tiered("input_token_details", "cache_read"), "cache_read_input_tokens"),
        (_tiered("input_token_details", "cache_creation"), "cache_creation_input_tokens"),
        ("input_token_details.ephemeral_5m_input_tokens", "cache_creation_input_tokens"),
        ("input_token_details.ephemeral_1h_input_tokens", "cache_creation_input_tokens"),
        ("input_token_details.ephemeral_1h_input_tokens", "cache_creation_1h_input_tokens"),
        ("input_token_details.audio", "input_audio_tokens"),
        (_tiered("output_token_details", "reasoning"), "reasoning_output_tokens"),
        ("output_token_details.audio", "output_audio_tokens"),
    ),
)
# https://ai.pydantic.dev/api/usage/ and genai-prices' own `Usage`: everything is included.
PYDANTIC_AI: Final = Format(
    api="pydantic_ai",
    call_type="chat",
    path="",
    usage=(
        ("input_tokens | request_tokens", "input_tokens"),
        ("output_tokens | response_tokens", "output_tokens"),
        ("cache_read_tokens", "cache_read_input_tokens"),
        ("cache_write_tokens", "cache_creation_input_tokens"),
        ("cache_write_1h_tokens", "cache_creation_1h_input_tokens"),
        ("output_reasoning_tokens | details.reasoning_tokens", "reasoning_output_tokens"),
        ("input_audio_tokens", "input_audio_tokens"),
        ("output_audio_tokens", "output_audio_tokens"),
        ("cache_audio_read_tokens", "cache_read_audio_tokens"),
    ),
)
