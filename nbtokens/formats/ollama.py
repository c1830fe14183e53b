"""Ollama's own formats.

Source: https://github.com/ollama/ollama/blob/main/docs/api.md.
"""

from __future__ import annotations

from typing import Final

from nbtokens.formats.table import Format

_USAGE: Final = (("prompt_eval_count", "input_tokens"), ("eval_count", "output_tokens"))
_SCALARS: Final = ("prompt_eval_count", "eval_count")
_FIELDS: Final = {"model": ("model",), "finish_reason": ("done_reason",)}

CHAT: Final = Format(
    api="ollama.chat",
    call_type="chat",
    path=r"/api/chat",
    request_keys=(("model",), ("messages",)),
    shape_always=True,
    fields=_FIELDS,
    usage_at=(),
    usage_scalars=_SCALARS,
    usage=_USAGE,
    text=("message.content", "message.thinking", "message.tool_calls"),
    text_streamed=("message.content", "message.thinking", "message.tool_calls"),
    max_tokens=("options.num_predict",),
    prompt=("tools", "messages"),
)

GENERATE: Final = Format(
    api="ollama.generate",
    call_type="text_completion",
    path=r"/api/generate",
    request_keys=(("model",), ("prompt", "suffix", "images")),
    shape_always=True,
    fields=_FIELDS,
    usage_at=(),
    usage_scalars=_SCALARS,
    usage=_USAGE,
    text=("response", "thinking"),
    text_streamed=("response", "thinking"),
    max_tokens=("options.num_predict",),
    prompt=("system", "prompt"),
)

EMBED: Final = Format(
    api="ollama.embed",
    call_type="embeddings",
    path=r"/api/(?:embed|embeddings)",
    request_keys=(("model",), ("input", "prompt")),
    shape_always=True,
    fields={"model": ("model",)},
    usage_at=(),
    usage_scalars=("prompt_eval_count",),
    usage=_USAGE,
    prompt=("input", "prompt"),
)

FORMATS: Final = (CHAT, GENERATE, EMBED)
