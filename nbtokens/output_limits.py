"""How long an answer a model can give at most.

The price data has none of these. LiteLLM keeps them for many models in a file of its package: where that is installed,
it is asked, without importing it. Else the families below are, whose makers say so on their own pages:
platform.openai.com/docs/models, docs.claude.com (models overview), ai.google.dev/gemini-api/docs/models,
api-docs.deepseek.com. As of LiteLLM 1.83.0, with which a test compares them. Of any other model it is not known.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

_FILE: Final = "model_prices_and_context_window_backup.json"
_TEXT_MODES: Final = ("chat", "completion", "responses")
_FAMILIES: Final = (
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
_MAKERS_PAGES: Final = "its maker's pages"


class OutputLimit(NamedTuple):
    """The longest answer.

    Attributes:
        tokens: of one answer, reasoning included.
        source: who says so.
    """

    tokens: int
    source: str


class _Facts(msgspec.Struct):
    mode: str | None = None
    max_output_tokens: float | str | None = None  # one entry explains itself in words


def output_limit(model: str) -> OutputLimit | None:
    """The most output tokens of one answer; None where that is not known.

    Args:
        model: its name, as the price data or a request has it; what stands before a slash or a dot of a region is
            passed over.
    """
    name = re.sub(r"^((us|eu|apac|global)\.)?([a-z]+\.(?=claude))?", "", model.lower().rpartition("/")[2])
    known, source = _of_litellm()
    tokens = known.get(name)
    if tokens is not None:
        return OutputLimit(tokens, source)
    tokens = None if _NO_TEXT.search(name) else of_family(name)
    return None if tokens is None else OutputLimit(tokens, _MAKERS_PAGES)


def of_family(name: str) -> int | None:
    """What the makers' pages say of a model's family."""
    return next((limit for pattern, limit in _FAMILIES if re.match(pattern, name)), None)


@cache
def _of_litellm() -> tuple[dict[str, int], str]:
    """Model -> the limit that LiteLLM knows; and its version. Nothing where it is not installed."""
    with suppress(ImportError, ValueError, OSError, msgspec.MsgspecError, PackageNotFoundError):
        spec = find_spec("litellm")
        if spec is not None and spec.origin is not None:
            data = Path(spec.origin).with_name(_FILE).read_bytes()
            facts = msgspec.json.decode(data, type=dict[str, _Facts])
            limits = {
                name: int(one.max_output_tokens)
                for name, one in facts.items()
                if one.mode in _TEXT_MODES and isinstance(one.max_output_tokens, int | float)
            }
            return limits, f"LiteLLM {version('litellm')}"
    return {}, ""
