"""Formats that one host alone speaks: watsonx, Hugging Face, Cloudflare, Mistral's OCR, Replicate, speech services.

Sources: https://cloud.ibm.com/apidocs/watsonx-ai, https://huggingface.co/docs/text-generation-inference,
https://developers.cloudflare.com/api/resources/ai, https://docs.mistral.ai/api/#tag/ocr,
https://replicate.com/docs/reference/http, https://developers.deepgram.com/reference,
https://elevenlabs.io/docs/api-reference, https://docs.aleph-alpha.com/api.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nbtokens.formats.table import Format

WATSONX: Final = Format(
    api="ibm.watsonx",
    call_type="text_completion",
    path=r"/ml/v1(?:-beta)?/(?:deployments/[^/]+/)?(?:text/(?:generation|chat)(?:_stream)?|generation/text(?:_stream)?)",
    request_keys=(("input", "messages"),),
    call_types=(("messages", "chat"),),
    request_models=("model_id",),
    fields={
        "response_id": ("id",),
        "model": ("model_id",),
        "finish_reason": ("results[].stop_reason", "choices[].finish_reason"),
    },
    usage_scalars=("results[].input_token_count", "results[].generated_token_count"),
    usage=(
        ("prompt_tokens | input_token_count", "input_tokens"),
        ("completion_tokens | generated_token_count", "output_tokens"),
    ),
    text=("results[].generated_text", "choices[].message.content"),
    text_streamed=("results[].generated_text", "choices[].delta.content"),
    max_tokens=("max_tokens", "parameters.max_new_tokens"),
    prompt=("tools", "input", "messages"),
)
WATSONX_EMBEDDINGS: Final = replace(
    WATSONX,
    call_type="embeddings",
    path=r"/ml/v1/text/(?:embeddings|rerank)",
    request_keys=(("inputs",),),
    call_types=(("query", "rerank"),),
    usage_scalars=("input_token_count",),
    text=(),
    text_streamed=(),
    prompt=("query", "inputs"),
)

# Text generation inference (TGI), and what is deployed behind the inference API.
HUGGINGFACE: Final = Format(
    api="huggingface.inference",
    call_type="text_completion",
    path=r"\A|/(?:generate|generate_stream)|(?:/hf-inference)?/models/(?P<model>[^/]+(?:/[^/]+)?)(?:/pipeline/[\w-]+)?"
    r"|/pipeline/[\w-]+/[^/]+/[^/]+",
    providers=("huggingface",),
    request_keys=(("inputs",),),
    shape_always=True,
    usage=(("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens")),
    text=("generated_text",),
    text_streamed=("token.text",),
    opaque=True,
    max_tokens=("parameters.max_new_tokens",),
    prompt=("inputs",),
)
TGI: Final = replace(
    HUGGINGFACE, path=r"/generate|/generate_stream", providers=(), request_keys=(("inputs",), ("parameters",))
)

CLOUDFLARE: Final = Format(
    api="cloudflare.ai",
    call_type="text_completion",
    path=r"/(?:ai/run|workers-ai)/(?P<model>@[\w-]+/.+)",
    call_types=(("messages", "chat"), ("text", "embeddings"), ("audio", "transcription")),
    envelopes=("result",),
    fields={"model": ("model",)},
    usage=(
        ("prompt_tokens | input_tokens", "input_tokens"),
        ("completion_tokens | output_tokens", "output_tokens"),
        ("prompt_tokens_details.cached_tokens", "cache_read_input_tokens"),
        ("completion_tokens_details.reasoning_tokens", "reasoning_output_tokens"),
    ),
    text=("result.response", "result.choices[].message.content"),
    text_streamed=("response", "choices[].delta.content"),
    opaque=True,
    prompt=("prompt", "text", "messages"),
)

OCR: Final = Format(
    api="mistral.ocr",
    call_type="ocr",
    path=r"/v1/ocr",
    request_keys=(("document",),),
    fields={"model": ("model",)},
    usage_at=("usage_info",),
    usage=(("pages_processed", "pages"),),
    countable=False,
)
CONVERSATIONS: Final = Format(
    api="mistral.conversations",
    call_type="invoke_agent",
    path=r"/v1/conversations(?:/[\w-]+(?:/restart)?)?",
    providers=("mistral_ai",),
    request_keys=(("inputs",),),
    shape_always=True,
    request_models=("model", "agent_id"),
    fields={"response_id": ("conversation_id",), "model": ("outputs[].model",)},
    usage=(("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens")),
    last_events=("conversation.response.done",),
    text=("outputs[].content",),
    text_streamed=("content",),
    prompt=("instructions", "tools", "inputs"),
)

PREDICTIONS: Final = Format(
    api="replicate.predictions",
    call_type="text_completion",
    path=r"/v1/predictions|/v1/(?:models|deployments)/(?P<model>[^/]+/[^/]+)/predictions",
    providers=("replicate",),
    request_models=("version",),
    fields={"response_id": ("id",), "model": ("model",), "finish_reason": ("status",), "progress": ("status",)},
    usage_at=("metrics",),
    usage=(("input_token_count", "input_tokens"), ("output_token_count", "output_tokens")),
    text=("output",),
    prompt=("input",),
)
RETRIEVED_PREDICTION: Final = replace(PREDICTIONS, method="GET", path=r"/v1/predictions/\w+")

SPEECH_TO_TEXT: Final = Format(
    api="deepgram.listen",
    call_type="transcription",
    path=r"/v1/listen|/v1/speech-to-text",
    providers=("deepgram", "elevenlabs"),
    request_models=("model", "model_id"),
    fields={"response_id": ("metadata.request_id",)},
    usage_at=(),
    usage_scalars=("metadata.duration",),
    usage=(("duration", "audio_seconds"),),
    opaque=True,
    countable=False,
)
TEXT_TO_SPEECH: Final = Format(
    api="speech",
    call_type="speech",
    path=r"/v1/speak|/v1/text-to-speech/[^/]+(?:/stream)?",
    providers=("deepgram", "elevenlabs"),
    request_models=("model", "model_id"),
    usage=(),
    opaque=True,
    prompt=("text",),
    countable=False,
)

ALEPH_ALPHA: Final = Format(
    api="aleph_alpha.complete",
    call_type="text_completion",
    path=r"/complete",
    providers=("aleph_alpha",),
    fields={"model": ("model_version",), "finish_reason": ("completions[].finish_reason",)},
    usage_at=(),
    usage_scalars=("num_tokens_prompt_total", "num_tokens_generated"),
    usage=(("num_tokens_prompt_total", "input_tokens"), ("num_tokens_generated", "output_tokens")),
    text=("completions[].completion",),
    text_streamed=("completion",),
    max_tokens=("maximum_tokens",),
    prompt=("prompt",),
)

FORMATS: Final = (
    ALEPH_ALPHA,
    WATSONX,
    WATSONX_EMBEDDINGS,
    HUGGINGFACE,
    TGI,
    CLOUDFLARE,
    OCR,
    CONVERSATIONS,
    PREDICTIONS,
    RETRIEVED_PREDICTION,
    SPEECH_TO_TEXT,
    TEXT_TO_SPEECH,
)
