"""What would go past nbtokens, as a table: packages and programs that reach models by other ways than HTTP clients."""

from __future__ import annotations

import shutil
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

CLIENTS: Final = ("httpx", "httpx2", "requests", "aiohttp", "botocore", "urllib3")
"""The HTTP clients that nbtokens sees, as the distributions are called."""

SDKS: Final = (
    "openai",
    "anthropic",
    "google-genai",
    "mistralai",
    "groq",
    "cohere",
    "ollama",
    "huggingface-hub",
    "litellm",
    "boto3",
    "langchain-core",
    "llama-index-core",
    "pydantic-ai-slim",
)
"""What usually sits on top of them."""


class Escape(NamedTuple):
    """Something whose calls are not seen.

    Attributes:
        name: the distribution, or the program.
        how: by what its calls go.
        remedy: what to do about it.
    """

    name: str
    how: str
    remedy: str


_BY_HAND: Final = "record each call with nbtokens.record(...)"
_DECORATE: Final = "decorate your function with @nbtokens.recorded, or " + _BY_HAND
_REST: Final = "choose its REST transport: "

PACKAGES: Final = (
    Escape("google-generativeai", "gRPC", _REST + 'genai.configure(transport="rest"); or use google-genai'),
    Escape("google-cloud-aiplatform", "gRPC", _REST + 'vertexai.init(api_transport="rest"); or use google-genai'),
    Escape("google-ai-generativelanguage", "gRPC", _REST + 'transport="rest" when making its client'),
    Escape("langchain-google-vertexai", "gRPC", _REST + 'api_transport="rest" when making the model'),
    Escape("xai-sdk", "gRPC", "use the openai SDK with base_url https://api.x.ai/v1, or " + _BY_HAND),
    Escape("nvidia-riva-client", "gRPC", _BY_HAND),
    Escape("tritonclient", "gRPC, or an HTTP client of its own", _BY_HAND),
    Escape("clarifai-grpc", "gRPC", _BY_HAND),
    Escape("yandex-cloud-ml-sdk", "gRPC", _BY_HAND),
    Escape("claude-agent-sdk", "the program claude", "record the usage of its ResultMessage with nbtokens.record(...)"),
    Escape("claude-code-sdk", "the program claude", "record the usage of its ResultMessage with nbtokens.record(...)"),
    Escape("llama-cpp-python", "this process", _DECORATE),
    Escape("xllamacpp", "this process", _DECORATE),
    Escape("vllm", "this process", "call its server, or " + _DECORATE),
    Escape("sglang", "this process", "call its server, or " + _DECORATE),
    Escape("transformers", "this process", _DECORATE),
    Escape("mlx-lm", "this process", _DECORATE),
    Escape("gpt4all", "this process", _DECORATE),
    Escape("onnxruntime-genai", "this process", _DECORATE),
    Escape("curl-cffi", "an HTTP client of its own", _BY_HAND),
    Escape("pycurl", "an HTTP client of its own", _BY_HAND),
    Escape("niquests", "an HTTP client of its own", _BY_HAND),
)
PROGRAMS: Final = (
    Escape("claude", "a process of its own", "with --output-format json it prints its usage: " + _BY_HAND),
    Escape("codex", "a process of its own", "with exec --json it prints its usage: " + _BY_HAND),
    Escape("gemini", "a process of its own", "with --output-format json it prints its usage: " + _BY_HAND),
)


def installed(names: Iterable[str]) -> dict[str, str]:
    """The versions of those distributions that are installed. Nothing is imported."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def escapes() -> list[Escape]:
    """What of the tables is installed here."""
    packages = installed(one.name for one in PACKAGES)
    return [
        *(one for one in PACKAGES if one.name in packages),
        *(one for one in PROGRAMS if shutil.which(one.name) is not None),
    ]
