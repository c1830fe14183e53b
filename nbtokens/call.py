"""What a wire format reads out of one exchange: the call and the tokens that it used."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

UsageSource: TypeAlias = Literal["reported", "estimated", "none"]


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tokens of one call, by one convention whatever the provider's own.

    Cached tokens are included in `input_tokens` and reasoning tokens in `output_tokens` (the rule of
    OpenTelemetry's GenAI conventions). None means that the provider did not say.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    reasoning_output_tokens: int | None = None
    # Only prices ask for these; the row keeps them inside of `usage`.
    cache_creation_1h_input_tokens: int | None = None
    input_audio_tokens: int | None = None
    output_audio_tokens: int | None = None
    cache_read_audio_tokens: int | None = None
    input_image_tokens: int | None = None
    output_image_tokens: int | None = None
    web_searches: int | None = None
    audio_seconds: int | None = None
    pages: int | None = None


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a model, as its request and its response tell it.

    Attributes:
        api: the wire format's name, as `openai.chat`.
        call_type: OpenTelemetry's operation name (`chat`, `embeddings`, ...).
        usage_source: `reported` by the provider, `estimated` here, or `none`.
        raw_usage: the provider's usage object as sent; of a stream, its parts merged.
        complete: whether the answer was read to its end.
        error: a short name of what went wrong (never the provider's prose, which may quote the prompt).
        pending: the answer is still being made, and comes with another request.
    """

    api: str
    call_type: str
    request_model: str | None = None
    model: str | None = None
    response_id: str | None = None
    service_tier: str | None = None
    max_tokens: int | None = None
    finish_reason: str | None = None
    stream: bool = False
    usage: Usage = Usage()
    usage_source: UsageSource = "none"
    raw_usage: dict[str, Any] | None = None
    complete: bool = True
    error: str | None = None
    pending: bool = False
