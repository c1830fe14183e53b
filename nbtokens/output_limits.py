"""How long an answer a model can give at most, for the families of models whose provider says so.

The sources are the providers' own pages of models: platform.openai.com/docs/models, docs.claude.com (models overview),
ai.google.dev/gemini-api/docs/models, api-docs.deepseek.com. The price data has none of these.
"""

from __future__ import annotations

import re
from typing import Final

_LIMITS: Final = (
    (r"gpt-5(\.\d)?-chat", 16_384),
    (r"gpt-5-pro", 272_000),
    (r"gpt-5", 128_000),
    (r"gpt-4\.1", 32_768),
    (r"gpt-4o-2024-05-13|chatgpt-4o", 4_096),
    (r"gpt-4o", 16_384),
    (r"gpt-4-turbo|gpt-4-\d{4}-preview|gpt-3\.5-turbo", 4_096),
    (r"o1-preview", 32_768),
    (r"o1-mini", 65_536),
    (r"o[134](-|$)", 100_000),
    (r"claude-3-(opus|haiku|sonnet)", 4_096),
    (r"claude-3-5-", 8_192),
    (r"claude-3-7-sonnet|claude-(sonnet|haiku)-4|claude-4-sonnet|claude-opus-4-5", 64_000),
    (r"claude-opus-4-6", 128_000),
    (r"claude-opus-4|claude-4-opus", 32_000),
    (r"gemini-(2\.5|3(\.\d)?)-(pro|flash)", 65_536),
    (r"gemini-(2\.0|1\.5)-(pro|flash)", 8_192),
    (r"deepseek-reasoner", 65_536),
    (r"deepseek-chat", 8_192),
)
_NO_TEXT: Final = re.compile(r"realtime|audio|image|tts|transcribe|embedding|live|search|codex|computer|robotics")


def output_limit(model: str) -> int | None:
    """The most output tokens of one answer, reasoning included; None where that is not known.

    Args:
        model: its name, as the price data or a request has it; what stands before a slash or a dot of a region is
            passed over.
    """
    name = re.sub(r"^(us|eu|apac|global)\.|^[a-z]+\.(?=claude)|^anthropic\.", "", model.lower().rpartition("/")[2])
    if _NO_TEXT.search(name):
        return None
    return next((limit for pattern, limit in _LIMITS if re.match(pattern, name)), None)
