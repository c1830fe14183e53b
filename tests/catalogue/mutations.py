"""Bodies as no provider sends them, made from those of the catalogue: always the same ones for a seed."""

from __future__ import annotations

import json
import random
import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from catalogue import CASES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from catalogue.case import Case

_MOST: Final = 200_000
_JUNK: Final = (
    b"null",
    b"[]",
    b"{}",
    b"1e999",
    b"-1",
    b"9" * 400,
    b'"',
    b"\n\n",
    b"\r\n\r\n",
    b"data: ",
    b"event: error\n",
    b"[DONE]",
    b"\\ud800",
    b"\xff\xfe",
    b"\xf0\x9f",
    b"\x00",
    b"NaN",
    b"}",
    b"[",
    b"{" * 50,
)
_ODD: Final[tuple[Any, ...]] = (
    None,
    True,
    -1,
    0.5,
    2**53,
    10**30,
    float("inf"),
    float("nan"),
    "",
    "7",
    "x" * 300,
    "\ud800",
    [],
    [[]],
    [None],
    {},
    {"usage": {}},
    {"error": []},
)


class Mutated(NamedTuple):
    """A case, and what comes in place of its body."""

    case: Case
    body: bytes


def mutated(count: int, seed: int = 0) -> Iterator[Mutated]:
    """So many of them, of all cases in turn."""
    chance = random.Random(seed)
    for number in range(count):
        case = CASES[number % len(CASES)]
        body = case.body
        for _ in range(chance.randint(1, 3)):
            body = chance.choice(_WAYS)(body, chance)[:_MOST]
        yield Mutated(case, body)


def _flip(body: bytes, chance: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(min(chance.randint(1, 8), len(changed))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(body: bytes, chance: random.Random) -> bytes:
    return body[: chance.randint(0, len(body))]


def _junk(body: bytes, chance: random.Random) -> bytes:
    at = chance.randint(0, len(body))
    return body[:at] + chance.choice(_JUNK) + body[at + chance.choice((0, 0, 1, 9)) :]


def _move(body: bytes, chance: random.Random) -> bytes:
    """Pieces of the body are doubled, left out, or change places."""
    between = chance.choice((b"\n\n", b"\n", b",", b"}", b"\x00"))
    parts = body.split(between)
    one, other = chance.randrange(len(parts)), chance.randrange(len(parts))
    way = chance.randrange(3)
    if way == 0:
        parts[one:one] = [parts[other]] * chance.choice((1, 2, 50))
    elif way == 1:
        del parts[one]
    else:
        parts[one], parts[other] = parts[other], parts[one]
    return between.join(parts)


def _lengths(body: bytes, chance: random.Random) -> bytes:
    """Another length where a frame of AWS' event stream has its own; anywhere else, four bytes of something."""
    at = chance.choice((0, 4, 8, max(body.rfind(b"\x00\x00") - 2, 0)))
    length = chance.choice((0, 1, 15, 16, len(body), 2**31, 2**32 - 1, chance.randrange(2**16)))
    return body[:at] + struct.pack(">I", length) + body[at + 4 :]


def _swap(body: bytes, chance: random.Random) -> bytes:
    """A value of a document has another type."""
    start = body.find(b"{")
    end = body.find(b"\n", start)
    text = body[start : end if end > 0 else len(body)]
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return _junk(body, chance)
    changed = json.dumps(_replaced(document, chance)).encode("utf-8", "replace")
    return body.replace(text, changed)


def _replaced(value: Any, chance: random.Random) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice(sorted(value))
        if chance.random() < 0.1:
            return {name: one for name, one in value.items() if name != key}
        return {**value, key: _replaced(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.8:
        at = chance.randrange(len(value))
        return [*value[:at], _replaced(value[at], chance), *value[at + 1 :]]
    return chance.choice(_ODD)


def _deepen(body: bytes, chance: random.Random) -> bytes:
    """A value lies under many brackets."""
    depth = chance.choice((30, 300, 1100, 50_000))
    opening, closing = chance.choice(((b"[", b"]"), (b'{"usage":', b"}")))
    at = body.find(b":", chance.randrange(max(len(body), 1))) + 1
    return body[:at] + opening * depth + b"1" + closing * depth + body[at:]


_WAYS: Final[tuple[Callable[[bytes, random.Random], bytes], ...]] = (
    _flip,
    _cut,
    _junk,
    _move,
    _lengths,
    _swap,
    _swap,
    _swap,
    _deepen,
)
