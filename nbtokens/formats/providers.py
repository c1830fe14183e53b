"""Who answers: the provider that a host name belongs to, or the engine that a local answer gives away."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from nbtokens.formats.json_stream import UNREADABLE, documents

if TYPE_CHECKING:
    from nbtokens.exchange import Exchange

# OpenTelemetry's values of gen_ai.provider.name where it has one; a host belongs to the first suffix it ends with.
_PROVIDERS: Final = (
    ("api.openai.com", "openai"),
    ("openai.azure.com", "azure.ai.openai"),
    ("azure-api.net", "azure.ai.openai"),
    ("cognitiveservices.azure.com", "azure.ai.openai"),
    ("api.cognitive.microsoft.com", "azure.ai.openai"),
    ("services.ai.azure.com", "azure.ai.inference"),
    ("models.inference.ai.azure.com", "azure.ai.inference"),
    ("api.anthropic.com", "anthropic"),
    ("aiplatform.googleapis.com", "gcp.vertex_ai"),
    ("rep.googleapis.com", "gcp.vertex_ai"),
    ("generativelanguage.googleapis.com", "gcp.gemini"),
    ("api.mistral.ai", "mistral_ai"),
    ("api.groq.com", "groq"),
    ("api.cohere.com", "cohere"),
    ("api.cohere.ai", "cohere"),
    ("api.deepseek.com", "deepseek"),
    ("api.x.ai", "x_ai"),
    ("openrouter.ai", "openrouter"),
    ("api.perplexity.ai", "perplexity"),
    ("api.together.xyz", "together"),
    ("api.together.ai", "together"),
    ("api.fireworks.ai", "fireworks"),
    ("api.cerebras.ai", "cerebras"),
    ("api.voyageai.com", "voyageai"),
    ("router.huggingface.co", "huggingface"),
    ("api-inference.huggingface.co", "huggingface"),
    ("endpoints.huggingface.cloud", "huggingface"),
    ("watsonx.ai", "ibm.watsonx.ai"),
    ("ml.cloud.ibm.com", "ibm.watsonx.ai"),
    ("cloud.databricks.com", "databricks"),
    ("azuredatabricks.net", "databricks"),
    ("gcp.databricks.com", "databricks"),
    ("snowflakecomputing.com", "snowflake"),
    ("api.ai21.com", "ai21"),
    ("api.z.ai", "zai"),
    ("api.moonshot.ai", "moonshotai"),
    ("api.moonshot.cn", "moonshotai"),
    ("ollama.com", "ollama_cloud"),
    ("api.writer.com", "writer"),
    ("inference.heroku.com", "heroku"),
    ("api.portkey.ai", "portkey"),
    ("api.inference.crusoecloud.com", "crusoe"),
    ("api.cloudflare.com", "cloudflare"),
    ("gateway.ai.cloudflare.com", "cloudflare"),
    ("api.githubcopilot.com", "github_copilot"),
    ("api.replicate.com", "replicate"),
    ("replicate.net", "replicate"),
    ("api.deepgram.com", "deepgram"),
    ("api.elevenlabs.io", "elevenlabs"),
    ("gateway.pydantic.dev", "pydantic_gateway"),
    ("api.arcee.ai", "arcee"),
    ("inference.baseten.co", "baseten"),
    ("api.minimax.io", "minimax"),
    ("api.minimaxi.com", "minimax"),
    ("api.novita.ai", "novita"),
    ("open.bigmodel.cn", "zhipuai"),
    ("api.sambanova.ai", "sambanova"),
    ("integrate.api.nvidia.com", "nvidia"),
    ("api.studio.nebius.ai", "nebius"),
    ("api.hyperbolic.xyz", "hyperbolic"),
    ("api.deepinfra.com", "deepinfra"),
    ("dashscope.aliyuncs.com", "alibaba"),
    ("dashscope-intl.aliyuncs.com", "alibaba"),
    ("api.jina.ai", "jina"),
    ("api.aleph-alpha.com", "aleph_alpha"),
)
_REGION: Final = re.compile(r"^[a-z0-9-]+-(?=aiplatform\.googleapis\.com$)")
_AWS: Final = (".amazonaws.com", ".api.aws", ".amazonaws.com.cn")
_AWS_SERVICES: Final = (("bedrock", "aws.bedrock"), ("sagemaker", "aws.sagemaker"))


@lru_cache(maxsize=1024)
def provider_of(host: str) -> str | None:
    """The provider that answers at a host name, or None where the name tells nothing (localhost, a gateway)."""
    host = _REGION.sub("", host.lower().rstrip("."))
    if host.endswith(_AWS):  # a service of Amazon's is the first part of its name, or behind an endpoint's
        return next((provider for service, provider in _AWS_SERVICES if service in host), None)
    for suffix, provider in _PROVIDERS:
        if host == suffix or host.endswith("." + suffix):
            return provider
    return None


@lru_cache(maxsize=1024)
def is_private(host: str) -> bool:
    """Whether a host is this machine or lies in a private network, as far as its name tells."""
    name = host.lower().strip("[]").rstrip(".")
    if name == "localhost" or name.endswith((".localhost", ".local", ".internal", ".lan")) or "." not in name:
        return not name.count(":") or _is_private_address(name)
    return _is_private_address(name)


def _is_private_address(name: str) -> bool:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_private or address.is_loopback or address.is_link_local


class _Signs(msgspec.Struct):
    """What local engines put into their answers and hosted providers don't."""

    system_fingerprint: str | None = None
    timings: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    stats: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    kv_transfer_params: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_signs: Final = msgspec.json.Decoder(_Signs)
_SIGNS: Final = (b"fp_ollama", b'"timings"', b'"kv_transfer_params"', b'"stats"')
_SERVERS: Final = (("llama.cpp", "llama.cpp"), ("ollama", "ollama"), ("vllm", "vllm"))


def engine_of(exchange: Exchange) -> str | None:
    """The inference engine that a private host's answer gives away: `llama.cpp`, `ollama`, `vllm`, `lm-studio`.

    Only evidence counts, from the response's own header or body; a port number or a model's name is none.
    """
    server = exchange.response_headers.get("server", "").lower()
    for sign, engine in _SERVERS:
        if sign in server:
            return engine
    if not any(sign in exchange.body for sign in _SIGNS):
        return None
    return next(filter(None, map(_engine_of_document, documents(exchange.body).texts[-3:])), None)


def _engine_of_document(text: bytes) -> str | None:
    try:
        signs = _signs.decode(text)
    except UNREADABLE:
        return None
    if signs.system_fingerprint == "fp_ollama":
        return "ollama"
    if signs.timings is not msgspec.UNSET:
        return "llama.cpp"
    if signs.kv_transfer_params is not msgspec.UNSET:
        return "vllm"
    return "lm-studio" if signs.stats is not msgspec.UNSET else None
