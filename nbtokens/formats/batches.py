"""Result files of batches: each line holds the answer to one call, made at the batch price.

Sources: https://platform.openai.com/docs/guides/batch, https://docs.anthropic.com/en/api/retrieving-message-batch-results,
https://docs.mistral.ai/capabilities/batch, https://docs.x.ai/docs/guides/batch-api, https://ai.google.dev/gemini-api/docs/batch-api.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from nbtokens.formats import anthropic, google, openai
from nbtokens.formats.json_stream import UNREADABLE, decode, documents
from nbtokens.formats.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator

_RESULTS: Final = re.compile(
    r"/batches/[\w-]+/results/?\Z|/files/[\w.-]+/(?:content|download)/?\Z|/files/[\w.-]+:download/?\Z"
)
_DEEPEST: Final = 6
TIER: Final = "batch"

_CHAT, _COMPLETIONS, _RESPONSES, _EMBEDDINGS, _MESSAGES, _GENERATE = map(
    Reader,
    (
        openai.CHAT,
        openai.COMPLETIONS,
        openai.RESPONSES,
        openai.EMBEDDINGS,
        anthropic.MESSAGES,
        google.GENERATE_CONTENT,
    ),
)
_BY_KIND: Final = {
    "chat.completion": _CHAT,
    "text_completion": _COMPLETIONS,
    "response": _RESPONSES,
    "list": _EMBEDDINGS,
    "message": _MESSAGES,
}
ANY_ANSWER: Final = Reader(replace(openai.CHAT, method="GET", request_keys=()))
"""Stands for the reader of a result file, whose lines each have one of their own."""


class Answer(NamedTuple):
    """One answer of a batch, and who can read it."""

    reader: Reader
    body: bytes


def is_result_file(method: str, path: str) -> bool:
    """Whether a request may be for the results of a batch."""
    return method == "GET" and _RESULTS.search(path) is not None


def answers(body: bytes | bytearray) -> Iterator[Answer]:
    """The answers in a result file, those that report what they used. Any other file has none."""
    for text in documents(body).texts:
        try:
            document = decode(text)
        except UNREADABLE:
            continue
        for found in _find(document, _DEEPEST):
            reader = _reader_of(found)
            if reader is not None:
                yield Answer(reader, msgspec.json.encode(found))


def _find(value: Any, depth: int) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - lines hold anything
    """The objects that report a usage, outermost first; every provider wraps its own in another way."""
    if isinstance(value, dict):
        if isinstance(value.get("usage"), dict) or isinstance(value.get("usageMetadata"), dict):
            yield value
        elif depth:
            for inside in value.values():
                yield from _find(inside, depth - 1)
    elif isinstance(value, list) and depth:
        for inside in value:
            yield from _find(inside, depth - 1)


def _reader_of(answer: dict[str, Any]) -> Reader | None:
    if "usageMetadata" in answer:
        return _GENERATE
    kind = answer.get("object") or answer.get("type")
    if isinstance(kind, str) and kind in _BY_KIND:
        return _BY_KIND[kind]
    return _CHAT if isinstance(answer.get("choices"), list) else None
