"""Google's wire formats: Gemini's own API and Vertex AI.

Sources: https://ai.google.dev/api/generate-content#UsageMetadata, .../embeddings, .../interactions-api;
https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api.
"""

from __future__ import annotations

from typing import Final

from nbtokens.formats.table import Format

_MODEL: Final = r"/(?:models|tunedModels|endpoints)/(?P<model>[^/:]+)"

# `candidatesTokenCount` leaves out thoughts, `promptTokenCount` what tools put into the prompt; cached tokens are in.
GENERATE_CONTENT: Final = Format(
    api="google.generate_content",
    call_type="generate_content",
    path=_MODEL + r":(?:generateContent|streamGenerateContent)",
    request_models=(),  # the request may repeat it, as `models/...`
    request_keys=(("contents",),),
    fields={
        "response_id": ("responseId",),
        "model": ("modelVersion",),
        "finish_reason": ("candidates[].finishReason", "promptFeedback.blockReason"),
    },
    usage_at=("usageMetadata",),
    usage=(
        ("promptTokenCount", "input_tokens"),
        ("toolUsePromptTokenCount", "input_tokens"),
        ("candidatesTokenCount | responseTokenCount", "output_tokens"),
        ("thoughtsTokenCount", "output_tokens"),
        ("cachedContentTokenCount", "cache_read_input_tokens"),
        ("thoughtsTokenCount", "reasoning_output_tokens"),
        ("promptTokensDetails[modality=AUDIO].tokenCount", "input_audio_tokens"),
        ("cacheTokensDetails[modality=AUDIO].tokenCount", "cache_read_audio_tokens"),
        ("candidatesTokensDetails[modality=AUDIO].tokenCount", "output_audio_tokens"),
        ("candidatesTokensDetails[modality=IMAGE].tokenCount", "output_image_tokens"),
    ),
    omitted_is_zero=True,
    usage_fields=(),
    text=(
        "candidates[].content.parts[].text",
        "candidates[].content.parts[].functionCall.name",
        "candidates[].content.parts[].functionCall.args",
    ),
    text_streamed=(
        "candidates[].content.parts[].text",
        "candidates[].content.parts[].functionCall.name",
        "candidates[].content.parts[].functionCall.args",
    ),
    max_tokens=("generationConfig.maxOutputTokens",),
    prompt=("tools", "systemInstruction", "contents"),
)

EMBED_CONTENT: Final = Format(
    api="google.embed_content",
    call_type="embeddings",
    path=_MODEL + r":(?:embedContent|batchEmbedContents)",
    request_models=(),
    request_keys=(("content", "requests"),),
    usage_at=("usageMetadata",),
    usage=(("promptTokenCount", "input_tokens"),),
    omitted_is_zero=True,
    prompt=("content", "requests"),
)

# Embeddings of Vertex AI, and Imagen and Veo, which report nothing.
PREDICT: Final = Format(
    api="google.predict",
    call_type="predict",
    path=r"(?:/publishers/[^/]+|/v1(?:alpha|beta)?\d*)/models/(?P<model>[^/:]+):(?:predict|predictLongRunning)",
    providers=("gcp.gemini", "gcp.vertex_ai"),
    usage_at=("predictions[].embeddings.statistics",),
    usage_summed=True,
    usage_else=("metadata.tokenMetadata",),  # PaLM's
    usage=(
        ("token_count", "input_tokens"),
        ("inputTokenCount.totalTokens", "input_tokens"),
        ("outputTokenCount.totalTokens", "output_tokens"),
    ),
    prompt=("instances",),
    countable=False,
)

INTERACTIONS: Final = Format(
    api="google.interactions",
    call_type="chat",
    path=r"/interactions",
    providers=("gcp.gemini", "gcp.vertex_ai"),
    request_models=("model", "agent"),
    fields={
        "response_id": ("id",),
        "model": ("model",),
        "service_tier": ("service_tier",),
        "finish_reason": ("status",),
        "progress": ("status",),
    },
    envelopes=("interaction",),
    usage_at=("metadata.usage", "usage"),
    usage=(
        ("total_input_tokens", "input_tokens"),
        ("total_tool_use_tokens", "input_tokens"),
        ("total_output_tokens", "output_tokens"),
        ("total_thought_tokens", "output_tokens"),
        ("total_cached_tokens", "cache_read_input_tokens"),
        ("total_thought_tokens", "reasoning_output_tokens"),
    ),
    text=("steps[].content[].text", "outputs[].text"),
    text_streamed=("delta.text",),
    max_tokens=("generation_config.max_output_tokens",),
    prompt=("system_instruction", "tools", "input"),
)
RETRIEVED_INTERACTION: Final = Format(
    api=INTERACTIONS.api,
    call_type=INTERACTIONS.call_type,
    path=r"/interactions/[\w-]+",
    method="GET",
    providers=INTERACTIONS.providers,
    fields=INTERACTIONS.fields,
    envelopes=INTERACTIONS.envelopes,
    usage_at=INTERACTIONS.usage_at,
    usage=INTERACTIONS.usage,
    text=INTERACTIONS.text,
)

FORMATS: Final = (GENERATE_CONTENT, EMBED_CONTENT, PREDICT, INTERACTIONS, RETRIEVED_INTERACTION)
