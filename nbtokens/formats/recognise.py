"""Which wire format a request speaks, by the path of its URL and by who answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nbtokens.formats import anthropic, bedrock, cohere, google, hosted, ollama, openai
from nbtokens.formats.reader import Reader

if TYPE_CHECKING:
    from nbtokens.formats.table import Format

FORMATS: Final[tuple[Format, ...]] = (
    *bedrock.FORMATS,
    *openai.FORMATS,
    *anthropic.FORMATS,
    *google.FORMATS,
    *cohere.FORMATS,
    *ollama.FORMATS,
    *hosted.FORMATS,
)
"""Every format that is read; where two paths match, the first counts that is spoken there."""

READERS: Final = tuple(map(Reader, FORMATS))


def recognise(method: str, path: str, provider: str | None = None) -> Reader | None:
    """The reader for a request, or None where its path is not one of a model's.

    Args:
        method: the HTTP method.
        path: the URL's path.
        provider: who answers, where the host tells.
    """
    for reader in READERS:
        table = reader.table
        if method != table.method or (table.providers and provider not in table.providers):
            continue
        if reader.pattern.search(path):
            return reader
    return None
