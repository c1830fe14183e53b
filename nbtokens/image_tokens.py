"""What an image counts for, by its size: the formulas that the providers publish. No image is ever fetched.

Sources: https://platform.openai.com/docs/guides/images-vision#calculating-costs,
https://platform.claude.com/docs/en/build-with-claude/vision#evaluate-image-size,
https://ai.google.dev/gemini-api/docs/tokens and https://ai.google.dev/gemini-api/docs/media-resolution.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64
from math import ceil, floor, sqrt
from typing import Final, NamedTuple, TypeAlias

Size: TypeAlias = tuple[int, int]
"""Width and height in pixels."""

UNKNOWN: Final[Size] = (1024, 1024)
"""What an image is taken for whose size is not in the request: one that is named by a URL or a file's id."""


class Image(NamedTuple):
    """An image of a prompt.

    Attributes:
        data: base64 or a `data:` URL; anything else has no size that could be read.
        detail: OpenAI's `detail`, Google's `resolution`.
    """

    data: str | None = None
    detail: str | None = None


class _Tiles(NamedTuple):
    """OpenAI's older vision models: `base` tokens, and `tile` for each square of 512 pixels."""

    base: int
    tile: int


class _Patches(NamedTuple):
    """OpenAI's newer vision models: `factor` tokens for each square of 32 pixels, of which there are `most`."""

    factor: float = 1.0
    most: int = 1536


# The first pattern that is found in the model's name decides.
_OPENAI: Final[tuple[tuple[re.Pattern[str], _Tiles | _Patches], ...]] = tuple(
    (re.compile(pattern), rule)
    for pattern, rule in (
        (r"gpt-4o-mini", _Tiles(2833, 5667)),
        (r"gpt-[5-9][\d.]*-nano|gpt-4\.1-nano", _Patches(2.46)),
        (r"gpt-[5-9][\d.]*-mini|gpt-4\.1-mini", _Patches(1.62)),
        (r"o4-mini", _Patches(1.72)),
        (r"gpt-5\.[23]", _Patches()),
        (r"gpt-5\.\d|gpt-[6-9]", _Patches(most=2500)),
        (r"gpt-5", _Tiles(70, 140)),
        (r"^o[1-9]", _Tiles(75, 150)),
        (r"computer-use", _Tiles(65, 129)),
        (r"", _Tiles(85, 170)),
    )
)
_OPENAI_BOX, _OPENAI_SHORT, _OPENAI_TILE, _OPENAI_PATCH, _OPENAI_LOW = 2048, 768, 512, 32, 512
_CLAUDE_PIXELS, _CLAUDE_LONG, _CLAUDE_MOST = 750, 1568, 1600
_GEMINI_TILE, _GEMINI_SMALL, _GEMINI_UNIT = 258, 384, (256, 768)
_GEMINI_3: Final = {"low": 280, "medium": 560, "high": 1120, "ultra_high": 2240}


def image_tokens(image: Image, model: str | None) -> int:
    """How many tokens an image counts for; by OpenAI's commonest rule where the model's own is not known."""
    name = (model or "").lower().rpartition("/")[2]
    size = size_of(image.data) or UNKNOWN
    if "claude" in name:
        return _claude(size)
    if "gemini" in name or "gemma" in name:
        return _gemini(size, name, (image.detail or "").lower())
    rule = next(rule for pattern, rule in _OPENAI if pattern.search(name))
    low = image.detail == "low"
    return _tiles(size, rule, low=low) if isinstance(rule, _Tiles) else _patches(size, rule, low=low)


def _tiles(size: Size, rule: _Tiles, *, low: bool) -> int:
    if low:
        return rule.base
    width, height = _within(size, _OPENAI_BOX)
    scale = min(_OPENAI_SHORT / min(width, height), 1.0)
    return rule.base + rule.tile * ceil(width * scale / _OPENAI_TILE) * ceil(height * scale / _OPENAI_TILE)


def _patches(size: Size, rule: _Patches, *, low: bool) -> int:
    width, height = _within(size, _OPENAI_LOW) if low else size
    side = _OPENAI_PATCH
    patches = ceil(width / side) * ceil(height / side)
    if patches > rule.most:
        scale = sqrt(side * side * rule.most / (width * height))
        across, down = width * scale / side, height * scale / side
        # One side is made to fit whole patches; the other follows, and its last patch may be cut.
        fit = min(max(floor(across), 1) / across, max(floor(down), 1) / down)
        patches = min(ceil(round(across * fit, 6)) * ceil(round(down * fit, 6)), rule.most)
    return ceil(patches * rule.factor)


def _claude(size: Size) -> int:
    width, height = _within(size, _CLAUDE_LONG)
    return min(ceil(width * height / _CLAUDE_PIXELS), _CLAUDE_MOST)


def _gemini(size: Size, name: str, detail: str) -> int:
    resolution = detail.removeprefix("media_resolution_")
    if re.search(r"gemini-[3-9]", name):
        return _GEMINI_3.get(resolution, _GEMINI_3["high"])
    if max(size) <= _GEMINI_SMALL or resolution == "low":
        return _GEMINI_TILE
    smallest, largest = _GEMINI_UNIT
    unit = min(max(floor(min(size) / 1.5), smallest), largest)
    tiles = ceil(size[0] / unit) * ceil(size[1] / unit)
    return (tiles + 1) * _GEMINI_TILE  # the image as a whole counts besides its tiles


def _within(size: Size, side: int) -> tuple[float, float]:
    scale = min(side / max(size), 1.0)
    return size[0] * scale, size[1] * scale


_HEAD: Final = 512 * 1024
"""So much of an image's base64 is looked at: a JPEG's size comes after its thumbnail and its colour profile."""
_SMALLEST_HEAD: Final = 30


def size_of(data: str | None) -> Size | None:
    """The size of a PNG, GIF, WebP or JPEG, from the first bytes of its base64; None where it can't be read."""
    if not data:
        return None
    if data.startswith("data:"):
        data = data.partition(",")[2]
    text = data[:_HEAD].translate(_URL_SAFE)
    try:
        head = a2b_base64(text[: len(text) // 4 * 4])
    except (Error, ValueError):
        return None
    if len(head) < _SMALLEST_HEAD:
        return None
    size = _png(head) or _gif(head) or _webp(head) or _jpeg(head)
    return size if size and min(size) > 0 else None


_URL_SAFE: Final = str.maketrans("-_", "+/")


def _png(head: bytes) -> Size | None:
    if not head.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    return _big(head[16:20]), _big(head[20:24])


def _gif(head: bytes) -> Size | None:
    if not head.startswith((b"GIF87a", b"GIF89a")):
        return None
    return _little(head[6:8]), _little(head[8:10])


def _webp(head: bytes) -> Size | None:
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return None
    kind = head[12:16]
    if kind == b"VP8X":
        return _little(head[24:27]) + 1, _little(head[27:30]) + 1
    if kind == b"VP8L":
        bits = _little(head[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return _little(head[26:28]) & 0x3FFF, _little(head[28:30]) & 0x3FFF


_MARK: Final = 0xFF
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # three of the range are tables and extensions


def _jpeg(head: bytes) -> Size | None:
    if not head.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 9 <= len(head):
        if head[at] != _MARK:
            return None
        marker = head[at + 1]
        if marker == _MARK:  # padding
            at += 1
        elif marker in _FRAMES:
            return _big(head[at + 7 : at + 9]), _big(head[at + 5 : at + 7])
        else:
            at += 2 + _big(head[at + 2 : at + 4])
    return None


def _big(part: bytes) -> int:
    return int.from_bytes(part, "big")


def _little(part: bytes) -> int:
    return int.from_bytes(part, "little")
