"""Usage from what SDKs and frameworks hand to their callers: their objects, dicts, and whatever holds a `usage`.

What a provider sent is read by the table of its wire format, wherever it is found.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from nbtokens.call import Usage
from nbtokens.formats import anthropic, bedrock, cohere, frameworks, google, hosted, ollama, openai
from nbtokens.formats.plain_objects import Object, held, plain, text_held
from nbtokens.formats.usage import UsageReader
from nbtokens.record import Record

if TYPE_CHECKING:
    from nbtokens.formats.table import Format

# A usage object that has one of these keys is of that format; the first that fits counts.
_SIGNS: Final[tuple[tuple[frozenset[str], Format], ...]] = tuple(
    (frozenset(keys.split()), table)
    for keys, table in (
        ("promptTokenCount candidatesTokenCount totalTokenCount", google.GENERATE_CONTENT),
        ("total_input_tokens total_output_tokens", google.INTERACTIONS),
        ("inputTokens outputTokens", bedrock.CONVERSE),
        ("billed_units tokens", cohere.CHAT_V2),
        ("prompt_eval_count eval_count", ollama.CHAT),
        ("pages_processed", hosted.OCR),
        ("input_token_details output_token_details", frameworks.LANGCHAIN),
        ("cache_read_tokens cache_write_tokens request_tokens response_tokens", frameworks.PYDANTIC_AI),
        ("prompt_tokens completion_tokens", openai.CHAT),
        ("cache_read_input_tokens cache_creation_input_tokens cache_creation server_tool_use", anthropic.MESSAGES),
        ("input_tokens output_tokens", openai.RESPONSES),
    )
)
_READERS: Final = {table.api: UsageReader(table) for _, table in _SIGNS}
_EMBEDDING_READER: Final = UsageReader(openai.EMBEDDINGS)
_INVOKE_READER: Final = UsageReader(bedrock.INVOKE)
_OWN_KEYS: Final = {
    table.api: sorted({re.split(r"[.\[]", part.strip())[0] for path, _ in table.usage for part in path.split("|")})
    for _, table in _SIGNS
}

_CAMEL: Final = re.compile(r"_([a-z])")
_COUNTS: Final = re.compile(r"(?:_token_count|_tokens_details|TokenCount|TokensDetails)\Z")
_PROTOBUF: Final = re.compile(r"_token_count\Z")
_USAGE_AT: Final = ("usage_metadata", "usageMetadata", "usage", "usage_info", "meta", "token_usage")
_BESIDE: Final = ("response_metadata", "llm_output")
_INSIDE: Final = ("raw", "response", "message", "metadata", "body")
_MODEL_AT: Final = ("model", "model_version", "modelVersion", "model_name", "model_id")
_ID_AT: Final = ("generation_id", "response_id", "responseId", "provider_response_id", "id")
_DEEPEST: Final = 3


class ResponseUsage(Usage, frozen=True, kw_only=True, omit_defaults=True):
    """The tokens that a response reports, and whose they are.

    Attributes:
        model: the model that answered, where the response names it.
        response_id: the provider's id of the answer, the same that the HTTP response has.
        service_tier: the tier in which the request was served.
        call_type: OpenTelemetry's operation name, as far as the shape of the usage tells it.
        raw_usage: the usage as it was found.
    """

    model: str | None = None
    response_id: str | None = None
    service_tier: str | None = None
    call_type: str = "chat"
    raw_usage: dict[str, Any] | None = None

    @property
    def total_tokens(self) -> int:
        """Input and output tokens."""
        return (self.input_tokens or 0) + (self.output_tokens or 0)

    @property
    def tokens(self) -> dict[str, int]:
        """The counts that are known, by the names of `Usage`."""
        counts = {name: getattr(self, name) for name in Usage.__struct_fields__}
        return {name: count for name, count in counts.items() if count is not None}


def usage_of(response: Any) -> ResponseUsage | None:  # noqa: ANN401 - what SDKs return
    """The usage that a response reports, by one convention: cached tokens are in the input, reasoning in the output.

    Args:
        response: what an SDK or a framework returned (OpenAI, Anthropic, Google, Mistral, Cohere, Ollama, boto3,
            litellm, LangChain, LlamaIndex, pydantic-ai, Hugging Face, ...), the same as a dict, a usage object
            itself, or anything with a `usage` or `usage_metadata`, as an attribute or a key.

    Returns:
        The tokens, with the model and the response's id where they are named; None where nothing is reported.
        Nothing is guessed or counted here.
    """
    if isinstance(response, ResponseUsage):
        return response
    if isinstance(response, Usage | Record):
        return _of_our_own(response)
    return _find(response, 0)


def _of_our_own(value: Usage | Record) -> ResponseUsage | None:
    counts: dict[str, Any] = {name: getattr(value, name, None) for name in Usage.__struct_fields__}
    if all(count is None for count in counts.values()):
        return None
    if isinstance(value, Usage):
        return ResponseUsage(**counts)
    return ResponseUsage(
        **counts,
        model=value.model,
        response_id=value.response_id,
        service_tier=value.service_tier,
        call_type=value.call_type or "chat",
        raw_usage=value.usage,
    )


def _find(value: Any, depth: int) -> ResponseUsage | None:  # noqa: ANN401 - anything
    if isinstance(value, str | bytes | int | float | list | tuple | type | None) or depth > _DEEPEST:
        return None
    found = _of_generations(value, depth) or _reported(value) or _own(value) or _of_headers(value)
    if found is not None:
        return found
    for name in _INSIDE:
        found = _find(held(value, name), depth + 1)
        if found is not None:
            return _completed(found, value)
    return None


def _reported(value: Any) -> ResponseUsage | None:  # noqa: ANN401 - anything
    """What lies in a usage object, where one is expected."""
    for holder in (value, *(held(value, name) for name in _BESIDE)):
        if holder is None:
            continue
        for name in _USAGE_AT:
            raw = plain(held(holder, name))
            found = _read(raw) if isinstance(raw, dict) else None
            if found is not None:
                return _completed(found, value)
    return None


def _own(value: Any) -> ResponseUsage | None:  # noqa: ANN401 - anything
    """What the object itself says: it is a usage object, or has the counts among its other fields.

    Only the counts are taken: beside them may stand what the model wrote.
    """
    for holder in (value, held(value, "additional_kwargs")):
        if holder is None:
            continue
        if held(holder, "prompt_token_count") is not None:
            raw = {name: count for name, count in (plain(holder) or {}).items() if _COUNTS.search(name)}
            found = _read(raw)
            if found is not None:
                return _completed(found, value)
        for keys, table in _SIGNS:
            if any(held(holder, key) is not None for key in keys):
                raw = {key: plain(held(holder, key)) for key in _OWN_KEYS[table.api]}
                found = _read(raw)
                if found is not None:
                    return _completed(found, value)
    return None


def _of_headers(value: Any) -> ResponseUsage | None:  # noqa: ANN401 - anything
    """What Bedrock reports beside a body that is not to be read here: boto3's `invoke_model`."""
    headers = held(held(value, "ResponseMetadata"), "HTTPHeaders")
    if not isinstance(headers, Mapping):
        return None
    usage, raw = _INVOKE_READER.read([], {}, {str(name): str(text) for name, text in headers.items()})
    return None if usage is None else _with_counts(usage, raw or {}, "chat")


def _of_generations(value: Any, depth: int) -> ResponseUsage | None:  # noqa: ANN401 - anything
    """LangChain's results: a list of candidates, or one for each prompt. Candidates of one prompt share one usage."""
    generations = held(value, "generations")
    if not isinstance(generations, list):
        return None
    prompts = [one if isinstance(one, list) else [one] for one in generations]
    if not any(isinstance(one, list) for one in generations):
        prompts = [generations]
    found = [next(filter(None, (_find(one, depth + 1) for one in candidates)), None) for candidates in prompts]
    answers = [one for one in found if one is not None]
    if len(answers) == 1:
        return _completed(answers[0], value)
    if not answers:
        return None
    every: dict[str, Any] = {}
    for answer in answers:
        for name, count in answer.tokens.items():
            every[name] = every.get(name, 0) + count
    raw = {"calls": [answer.raw_usage for answer in answers]}
    return ResponseUsage(**every, model=answers[0].model, call_type=answers[0].call_type, raw_usage=raw)


_WRITTEN: Final = frozenset({"completion_tokens", "output_tokens"})


def _read(raw: Object) -> ResponseUsage | None:
    """The counts of a usage object, by the table whose sign it bears."""
    if any(_PROTOBUF.search(name) for name in raw):
        raw = {_camel(name): _camelled(value) for name, value in raw.items()}
    for keys, table in _SIGNS:
        if keys.isdisjoint(raw):
            continue
        usage = _READERS[table.api].of(_present(raw))
        if usage is None:
            continue
        if table is openai.CHAT and _WRITTEN.isdisjoint(raw) and raw.get("total_tokens") == usage.input_tokens:
            usage = _EMBEDDING_READER.of(_present(raw)) or usage
            return _with_counts(usage, raw, openai.EMBEDDINGS.call_type)
        return _with_counts(usage, raw, table.call_type)
    return None


def _with_counts(usage: Usage, raw: Object, call_type: str) -> ResponseUsage:
    tier = raw.get("service_tier")
    return ResponseUsage(
        **{name: getattr(usage, name) for name in Usage.__struct_fields__},
        service_tier=tier if isinstance(tier, str) and tier else None,
        call_type=call_type,
        raw_usage=_present(raw),
    )


def _completed(found: ResponseUsage, value: Any) -> ResponseUsage:  # noqa: ANN401 - anything
    """The usage, and whose it is, as far as the object around it says so."""
    metadata = held(value, "response_metadata")
    said = metadata if metadata is not None else held(value, "llm_output")
    inner = held(value, "response")  # of pydantic-ai's runs
    own_id = text_held(metadata, "id") if metadata is not None else text_held(value, *_ID_AT)
    return msgspec.structs.replace(
        found,
        model=found.model
        or text_held(value, *_MODEL_AT)
        or text_held(said, *_MODEL_AT)
        or text_held(inner, *_MODEL_AT),
        response_id=found.response_id or own_id or text_held(inner, *_ID_AT),
        service_tier=found.service_tier or text_held(value, "service_tier") or text_held(said, "service_tier"),
    )


def _present(raw: Object) -> Object:
    """The same without what is null."""
    return {
        name: _present(value) if isinstance(value, dict) else value for name, value in raw.items() if value is not None
    }


def _camel(name: str) -> str:
    return _CAMEL.sub(lambda found: found[1].upper(), name)


def _camelled(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        return [_camelled(element) for element in value]
    if isinstance(value, dict):
        return {_camel(name): element for name, element in value.items()}
    return value
