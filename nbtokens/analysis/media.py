"""Pages and images: counted where the provider's usage object reports them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nbtokens.history.columns import Columns

PAGES: Final = ("pages_processed", "pages", "page_count")
IMAGES: Final = ("images", "image_count", "num_images")
INSIDE: Final = ("billed_units", "usage_info")
DETAILS: Final = ("input_tokens_details", "prompt_tokens_details")
MODALITIES: Final = "promptTokensDetails"
COUNT: Final = "^[1-9][0-9]{0,11}$"
"""A number of pages, images or tokens, as JSON has it. No request reads 10**12 of them."""
_BEYOND: Final = 10**12
FIELDS: Final = frozenset({"kind", "status", "usage", "total_tokens"})
"""What is looked at."""


@dataclass(slots=True)
class Media:
    """What some calls read of one kind.

    Attributes:
        calls: those whose provider reports any.
        units: pages or images; 0 where only their tokens are reported.
        tokens: for pages all tokens of these calls, for images the input tokens that they took; 0: not reported.
    """

    calls: int = 0
    units: int = 0
    tokens: int = 0

    @property
    def tokens_per_unit(self) -> float | None:
        """Tokens for a page or an image; None where either is not reported."""
        return self.tokens / self.units if self.tokens and self.units else None


def media_of(blocks: Iterable[Columns]) -> dict[str, Media]:
    """`pages` and `images` -> what the calls that succeeded read of them."""
    found = {"pages": Media(), "images": Media()}
    rows = (row for block in blocks for row in block.tuples("kind", "status", "usage", "total_tokens"))
    for kind, status, usage, total in rows:
        if kind != "call" or status != "ok" or not usage:
            continue
        pages, images, tokens = _number(usage, PAGES), _number(usage, IMAGES), _image_tokens(usage)
        if pages:
            _add(found["pages"], pages, total or 0)
        if images or tokens:
            _add(found["images"], images, tokens)
    return found


def _add(media: Media, units: int, tokens: int) -> None:
    media.calls += 1
    media.units += units
    media.tokens += tokens


def _number(usage: Mapping[str, Any], names: Iterable[str]) -> int:
    parts = (usage, *(usage.get(name) for name in INSIDE))
    values = (part.get(name) for part in parts if isinstance(part, dict) for name in names)
    return next((value for value in values if _is_count(value)), 0)


def _image_tokens(usage: Mapping[str, Any]) -> int:
    for name in DETAILS:
        details = usage.get(name)
        if isinstance(details, dict) and _is_count(details.get("image_tokens")):
            return int(details["image_tokens"])
    modalities = usage.get(MODALITIES)
    if not isinstance(modalities, list):
        return 0
    counts = (one.get("tokenCount") for one in modalities if isinstance(one, dict) and one.get("modality") == "IMAGE")
    return sum(value for value in counts if _is_count(value))


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < _BEYOND
