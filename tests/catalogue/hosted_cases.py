"""Formats that one provider alone speaks.

Sources: what `nbtokens/formats/hosted.py` names.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from catalogue.case import Case, events, named_events, plain, tokens

_MESSAGES: Final = [{"role": "user", "content": "Why?"}]
_READ: Final = tokens(19, 10)
_WATSONX: Final = Case(
    "watsonx generation",
    "https://us-south.ml.cloud.ibm.com/ml/v1/text/generation?version=2024-05-01",
    {"model_id": "asked-model", "input": "Why?", "project_id": "p"},
    plain(
        {
            "model_id": "served-model",
            "results": [
                {
                    "generated_text": "Hi",
                    "generated_token_count": 10,
                    "input_token_count": 19,
                    "stop_reason": "eos_token",
                }
            ],
        }
    ),
    "ibm.watsonx.ai",
    "ibm.watsonx",
    tokens=_READ,
    model="served-model",
)
_TGI: Final = Case(
    "hugging face endpoint",
    "https://x.us-east-1.aws.endpoints.huggingface.cloud/",
    {"inputs": "Why?", "parameters": {}},
    plain([{"generated_text": "Because."}]),
    "huggingface",
    "huggingface.inference",
    kind="no_usage",
)
_CLOUDFLARE: Final = Case(
    "cloudflare run",
    "https://api.cloudflare.com/client/v4/accounts/1/ai/run/@cf/meta/llama-3-8b-instruct",
    {"messages": _MESSAGES},
    plain(
        {
            "result": {"response": "Hi", "usage": {"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29}},
            "success": True,
            "errors": [],
        }
    ),
    "cloudflare",
    "cloudflare.ai",
    tokens=_READ,
    model="@cf/meta/llama-3-8b-instruct",
)
_CONVERSATION: Final = Case(
    "mistral conversation",
    "https://api.mistral.ai/v1/conversations",
    {"model": "asked-model", "inputs": "Why?"},
    plain(
        {
            "object": "conversation.response",
            "conversation_id": "conv_1",
            "outputs": [{"type": "message.output", "content": "Hi", "model": "served-model"}],
            "usage": {"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29},
        }
    ),
    "mistral_ai",
    "mistral.conversations",
    tokens=_READ,
    model="served-model",
)
_PREDICTION: Final = {
    "id": "p1",
    "model": "meta/llama",
    "status": "succeeded",
    "output": ["Be", "cause."],
    "error": None,
    "metrics": {"input_token_count": 19, "output_token_count": 10, "predict_time": 1.5},
}

CASES: Final = (
    _WATSONX,
    replace(
        _WATSONX,
        name="watsonx stream",
        url="https://us-south.ml.cloud.ibm.com/ml/v1/text/generation_stream?version=2024-05-01",
        body=named_events(
            {
                "type": "message",
                "model_id": "served-model",
                "results": [{"generated_text": "", "generated_token_count": 0, "input_token_count": 19}],
            },
            {
                "type": "message",
                "model_id": "served-model",
                "results": [{"generated_text": "Hi", "generated_token_count": 10, "input_token_count": 0}],
            },
        ),
    ),
    replace(
        _WATSONX,
        name="watsonx chat",
        url="https://us-south.ml.cloud.ibm.com/ml/v1/text/chat?version=2024-05-01",
        sent={"model_id": "asked-model", "messages": _MESSAGES},
        body=plain(
            {
                "id": "1",
                "model_id": "served-model",
                "choices": [],
                "usage": {"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29},
            }
        ),
        call_type="chat",
    ),
    _TGI,
    replace(
        _TGI,
        name="hugging face stream",
        sent={"inputs": "Why?", "stream": True},
        body=events({"token": {"text": "Because."}, "generated_text": None}, done=False).replace(b"data: ", b"data:"),
    ),
    _CLOUDFLARE,
    replace(
        _CLOUDFLARE,
        name="cloudflare run stream",
        sent={"messages": _MESSAGES, "stream": True},
        body=events(
            {"response": "Hi"},
            {"response": "", "usage": {"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29}},
        ),
    ),
    _CONVERSATION,
    replace(
        _CONVERSATION,
        name="mistral conversation stream",
        url="https://api.mistral.ai/v1/conversations/conv_1",
        body=named_events(
            {"type": "message.output.delta", "content": "Hi"},
            {
                "type": "conversation.response.done",
                "usage": {"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29},
            },
        ),
        model="asked-model",
    ),
    replace(
        _CONVERSATION,
        name="mistral conversation begun again",
        url="https://api.mistral.ai/v1/conversations/conv_1/restart",
    ),
    Case(
        "mistral OCR",
        "https://api.mistral.ai/v1/ocr",
        {"model": "asked-model", "document": {}},
        plain({"pages": [], "model": "served-model", "usage_info": {"pages_processed": 2}}),
        "mistral_ai",
        "mistral.ocr",
        kind="no_usage",
        model="served-model",
        call_type="ocr",
    ),
    Case(
        "replicate",
        "https://api.replicate.com/v1/models/meta/llama/predictions",
        {"input": {"prompt": "Why?"}},
        plain(_PREDICTION),
        "replicate",
        "replicate.predictions",
        tokens=_READ,
        model="meta/llama",
    ),
    Case(
        "replicate, stored",
        "https://api.replicate.com/v1/predictions/p1",
        None,
        plain(_PREDICTION),
        "replicate",
        "replicate.predictions",
        tokens=_READ,
        model="meta/llama",
        method="GET",
    ),
    Case(
        "deepgram",
        "https://api.deepgram.com/v1/listen?model=nova-3",
        b"RIFF\xff\xff",
        plain({"metadata": {"request_id": "1", "duration": 3.7}, "results": {}}),
        "deepgram",
        "deepgram.listen",
        kind="no_usage",
    ),
    Case(
        "elevenlabs speech",
        "https://api.elevenlabs.io/v1/text-to-speech/voice-1/stream",
        {"model_id": "asked-model", "text": "Hi"},
        b"\xff\xf3\x00" * 9,
        "elevenlabs",
        "speech",
        kind="no_usage",
        model="asked-model",
        headers={"content-type": "audio/mpeg"},
    ),
    Case(
        "aleph alpha",
        "https://api.aleph-alpha.com/complete",
        {"model": "asked-model", "prompt": "Why?"},
        plain(
            {
                "model_version": "served-model",
                "completions": [{"completion": "Hi"}],
                "num_tokens_prompt_total": 19,
                "num_tokens_generated": 10,
            }
        ),
        "aleph_alpha",
        "aleph_alpha.complete",
        tokens=_READ,
        model="served-model",
    ),
)
