"""Which wire format a request speaks, by the path of its URL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from nbtokens.formats import anthropic, openai
from nbtokens.formats.reader import Reader

if TYPE_CHECKING:
    from nbtokens.formats.table import Format

FORMATS: Final[tuple[Format, ...]] = (
    openai.CHAT,
    openai.COMPLETIONS,
    openai.RESPONSES,
    openai.EMBEDDINGS,
    anthropic.MESSAGES,
)
"""Every format that is read; where two paths match, the first counts."""

READERS: Final = tuple((re.compile(table.path + r"/?\Z"), Reader(table)) for table in FORMATS)


def recognise(method: str, path: str) -> Reader | None:
    """The reader for a request, or None where its path is not one of a model's."""
    if method != "POST":
        return None
    for pattern, reader in READERS:
        if pattern.search(path):
            return reader
    return None
