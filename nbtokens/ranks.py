"""tiktoken's encodings, made from ranks that lie on this machine; nothing is fetched."""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
from base64 import b64decode
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    import tiktoken


class Encoding(NamedTuple):
    """How an encoding cuts text into words, and how many ranks it has (which tells a torn file)."""

    pattern: str
    ranks: int


_WORDS: Final = r"[^\r\n\p{L}\p{N}]?"
_UPPER: Final = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER: Final = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_SHORT: Final = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_SPACES: Final = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_DIGITS: Final = r"\p{N}{1,3}"
_CL100K: Final = rf"{_SHORT}|{_WORDS}\p{{L}}+|{_DIGITS}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_SPACES}"
_O200K: Final = "|".join(
    (
        rf"{_WORDS}{_UPPER}*{_LOWER}+{_SHORT}?",
        rf"{_WORDS}{_UPPER}+{_LOWER}*{_SHORT}?",
        _DIGITS,
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        _SPACES,
    )
)
_GPT2: Final = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

ENCODINGS: Final = {
    "o200k_base": Encoding(_O200K, 199_998),
    "cl100k_base": Encoding(_CL100K, 100_256),
    "llama3": Encoding(_CL100K, 128_000),
    "qwen3": Encoding(_CL100K.replace(_DIGITS, r"\p{N}"), 151_643),
    "p50k_base": Encoding(_GPT2, 50_280),
    "r50k_base": Encoding(_GPT2, 50_256),
}
"""The patterns are those by which the models' own tokenizers were trained; text counts right with no other."""

_RANKS_URL: Final = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"
_HEAD: Final = struct.Struct("<I")
_SIZE: Final = struct.Struct("<H")


def load_encoding(name: str) -> tiktoken.Encoding | None:
    """An encoding, or None where its ranks are not on this machine. This takes some tenths of a second."""
    import tiktoken  # noqa: PLC0415 - only where something must be counted

    encoding = ENCODINGS.get(name)
    if encoding is None:
        return None
    for ranks in _found_ranks(name):
        # p50k_base has a hole in its ranks, which is no token of plain text.
        if len(ranks) == encoding.ranks:
            return tiktoken.Encoding(name, pat_str=encoding.pattern, mergeable_ranks=ranks, special_tokens={})
    return None


def _found_ranks(name: str) -> Iterator[dict[bytes, int]]:
    # tiktoken calls a rank file by the hash of the URL that it came from.
    file_name = hashlib.sha1(_RANKS_URL.format(name).encode(), usedforsecurity=False).hexdigest()
    for folder in _rank_folders():
        if (folder / file_name).is_file():
            yield _read_tiktoken(folder / file_name)
    for folder in _package_folders("quicktok", "data"):
        path = folder / f"{name.removesuffix('_base')}.vocab"
        if path.is_file():
            yield _read_quicktok(path)


def find_ranks(name: str) -> Path | None:
    """The file from which an encoding would be made; it is not read. None where there is none."""
    file_name = hashlib.sha1(_RANKS_URL.format(name).encode(), usedforsecurity=False).hexdigest()
    files = [folder / file_name for folder in _rank_folders()]
    files += [folder / f"{name.removesuffix('_base')}.vocab" for folder in _package_folders("quicktok", "data")]
    return next((file for file in files if file.is_file()), None)


def _rank_folders() -> Iterator[Path]:
    """Where tiktoken's rank files may lie: its own caches, and a package that ships them in its format."""
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if os.environ.get(variable):
            yield Path(os.environ[variable])
    yield Path(tempfile.gettempdir()) / "data-gym-cache"
    yield from _package_folders("litellm", "litellm_core_utils", "tokenizers")


def _package_folders(package: str, *inside: str) -> Iterator[Path]:
    spec = find_spec(package)  # of a top-level package: this finds it without importing it
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        yield Path(place, *inside)


def _read_tiktoken(path: Path) -> dict[bytes, int]:
    """Lines of a token in base64, a space, its rank."""
    lines = (line.split() for line in path.read_bytes().splitlines())
    return {b64decode(line[0]): int(line[1]) for line in lines if line}


def _read_quicktok(path: Path) -> dict[bytes, int]:
    """The number of tokens, then of each its length, its bytes and its rank; little-endian."""
    data = path.read_bytes()
    ranks, at = {}, _HEAD.size
    for _ in range(_HEAD.unpack_from(data)[0]):
        start = at + _SIZE.size
        end = start + _SIZE.unpack_from(data, at)[0]
        ranks[data[start:end]] = _HEAD.unpack_from(data, end)[0]
        at = end + _HEAD.size
    return ranks
