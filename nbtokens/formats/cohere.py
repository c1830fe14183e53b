"""Cohere's own formats, version 1 and 2.

Sources: https://docs.cohere.com/reference/chat, .../chat-stream, .../embed, .../rerank, .../generate (v1).
What is billed counts, not what went through the model.
"""

from __future__ import annotations

from typing import Final

from nbtokens.formats.table import Format

_BILLED: Final = (
    ("billed_units.input_tokens | tokens.input_tokens", "input_tokens"),
    ("billed_units.output_tokens | tokens.output_tokens", "output_tokens"),
    ("cached_tokens", "cache_read_input_tokens"),
)
_HERE: Final = ("cohere", "azure.ai.inference", "cloudflare", "portkey", "pydantic_gateway")  # and its gateways

CHAT_V1: Final = Format(
    api="cohere.v1.chat",
    call_type="chat",
    path=r"/v1/chat",
    providers=_HERE,
    request_keys=(("message",),),
    shape_always=True,
    fields={"response_id": ("generation_id", "response.generation_id"), "finish_reason": ("finish_reason",)},
    envelopes=("response",),
    usage_at=("meta",),
    usage=_BILLED,
    usage_fields=(),
    text=("text", "tool_calls"),
    text_streamed=("text",),
    prompt=("preamble", "tools", "chat_history", "documents", "message"),
)

CHAT_V2: Final = Format(
    api="cohere.v2.chat",
    call_type="chat",
    path=r"/v2/chat",
    request_keys=(("model",), ("messages",)),
    fields={"response_id": ("id",), "finish_reason": ("finish_reason", "delta.finish_reason")},
    envelopes=("delta",),
    usage=_BILLED,
    last_events=("message-end",),
    text=("message.content[].text", "message.tool_plan", "message.tool_calls[].function"),
    text_streamed=(
        "delta.message.content.text",
        "delta.message.content.thinking",
        "delta.message.tool_plan",
        "delta.message.tool_calls.function.name",
        "delta.message.tool_calls.function.arguments",
    ),
    prompt=("tools", "documents", "messages"),
)

GENERATE: Final = Format(
    api="cohere.v1.generate",
    call_type="text_completion",
    path=r"/v1/(?:generate|summarize)",
    providers=_HERE,
    fields={"response_id": ("id",), "finish_reason": ("generations[].finish_reason", "finish_reason")},
    envelopes=("response",),
    usage_at=("meta",),
    usage=_BILLED,
    text=("generations[].text", "summary"),
    text_streamed=("text",),
    prompt=("prompt", "text"),
)

EMBED: Final = Format(
    api="cohere.embed",
    call_type="embeddings",
    path=r"/v[12]/(?:embed|classify)",
    providers=_HERE,
    call_types=(("examples", "classify"),),
    fields={"response_id": ("id",)},
    usage_at=("meta",),
    usage=(*_BILLED, ("billed_units.image_tokens", "input_image_tokens")),
    prompt=("texts", "inputs"),
)

FORMATS: Final = (CHAT_V1, CHAT_V2, GENERATE, EMBED)
