"""What somebody's own settings say about models: a mapping or any object, nested; secrets stay hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any, Final, NamedTuple

import msgspec

HIDDEN: Final = "***"
_DEEPEST: Final = 6
_MOST: Final = 500
_LONGEST: Final = 100
_PLAIN: Final = (str, int, float, bool)
_KINDS: Final = (
    ("time-out", re.compile(r"time_?out|deadline|backoff|interval|retry_(after|delay|wait)", re.IGNORECASE)),
    (
        "threshold",
        re.compile(
            r"threshold|budget|quota|temperature|top_p|(^|_)min(imum)?(_|$)|retr(y|ies)|cost|usd|score|rate_limit|rpm",
            re.IGNORECASE,
        ),
    ),
    ("token limit", re.compile(r"token|limit|context_(window|length|size)|max_", re.IGNORECASE)),
    ("model", re.compile(r"model|deployment|engine", re.IGNORECASE)),
)
_SECRET_NAME: Final = re.compile(
    r"api_?key|(^|_)key$|secret|passw|credential|(^|_)auth|bearer|private|cookie|(^|_)(access_|auth_|refresh_|id_)?token$",
    re.IGNORECASE,
)
_SECRET_VALUE: Final = re.compile(
    r"\b(sk|pk|rk|ghp|gho|xox[a-z]|hf|gsk|AIza|AKIA)[-_A-Za-z0-9]{12,}|\beyJ[\w-]{10,}|://[^/\s:@]*:[^/\s@]+@|\bBearer\s+\S+"
)
_OPAQUE: Final = re.compile(r"(?=\S*[A-Za-z])(?=\S*\d)[A-Za-z0-9+/_=]{32,}")


class Named(NamedTuple):
    """One setting.

    Attributes:
        kind: `model`, `token limit`, `time-out` or `threshold`.
        name: the way to it, with dots.
        value: as text; `***` where it is or looks like a secret.
    """

    kind: str
    name: str
    value: str


def named_settings(settings: object) -> list[Named]:
    """The models, token limits, time-outs and thresholds that some settings name, in their order.

    Args:
        settings: a mapping, a dataclass, a pydantic model, a namespace, any object with attributes; nested at will.
    """
    found = []
    for name, value in _leaves(settings, "", 0, set()):
        last = next((part for part in reversed(name.split(".")) if not part.isdecimal()), name)  # not a place in a list
        secret = _SECRET_NAME.search(last) is not None
        kind = next((kind for kind, pattern in _KINDS if pattern.search(last)), None)
        if kind is not None:
            found.append(Named(kind, name, HIDDEN if secret else masked(value)))
        if len(found) >= _MOST:
            break
    return found


def masked(value: object) -> str:
    """A value as text, shortened, without what looks like a secret."""
    text = " ".join(str(value).split())
    if _SECRET_VALUE.search(text) or _OPAQUE.search(text):
        return HIDDEN
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _leaves(value: object, name: str, depth: int, above: set[int]) -> Iterator[tuple[str, object]]:
    if isinstance(value, _PLAIN):
        yield name, value
        return
    if value is None or depth > _DEEPEST or id(value) in above:
        return
    above = above | {id(value)}
    for key, inner in _members(value):
        text = str(key)
        if not text.startswith("_"):
            yield from _leaves(inner, f"{name}.{text}" if name else text, depth + 1, above)


def _members(value: object) -> list[tuple[object, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, list | tuple):
        return list(enumerate(value))
    if isinstance(value, msgspec.Struct):
        return [(name, getattr(value, name)) for name in value.__struct_fields__]
    if is_dataclass(value):
        return [(name, getattr(value, name, None)) for name in value.__dataclass_fields__]
    own = getattr(value, "__dict__", None)
    if callable(value) or not isinstance(own, Mapping):
        return []
    shared = {} if isinstance(value, type) else {k: v for k, v in vars(type(value)).items() if isinstance(v, _PLAIN)}
    return list({**shared, **own}.items())
