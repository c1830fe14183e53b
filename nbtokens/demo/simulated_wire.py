"""What the simulated server's wire formats share: replies, events, and the checks of a request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from nbtokens.demo.simulated_text import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

Json: TypeAlias = dict[str, Any]


class Event(NamedTuple):
    """One server-sent event.

    Attributes:
        data: an object, sent as JSON, or a bare word such as OpenAI's `[DONE]`.
        name: the event's name, for the formats that name their events.
        tokens: how many tokens of the answer it brings, which decides how long it takes.
    """

    data: Json | str
    name: str | None = None
    tokens: int = 0

    def encode(self) -> bytes:
        """The event as it goes over the wire, with the empty line that ends it."""
        text = self.data if isinstance(self.data, str) else json.dumps(self.data, separators=(",", ":"))
        head = f"event: {self.name}\n" if self.name else ""
        return f"{head}data: {text}\n\n".encode()


@dataclass(frozen=True, slots=True)
class Document:
    """A reply in one piece: a JSON body, and how many tokens it took to make."""

    body: Json
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Stream:
    """A reply in server-sent events."""

    events: Iterable[Event]


Reply: TypeAlias = Document | Stream


def new_id(prefix: str) -> str:
    """An id that no other response has."""
    return prefix + token_hex(12)


def limit_in(body: Json, *names: str) -> int | None:
    """The first of the token limits `names` that the request sets, in tokens.

    Raises:
        BadRequestError: it isn't a whole number above 0.
    """
    for name in names:
        limit = body.get(name)
        if limit is None:
            continue
        if isinstance(limit, bool) or not isinstance(limit, int):
            raise BadRequestError(
                f"Invalid type for '{name}': expected an integer, but got {json.dumps(limit)} instead.",
                param=name,
                code="invalid_type",
            )
        if limit < 1:
            raise BadRequestError(
                f"Invalid '{name}': integer below minimum value. Expected a value >= 1, but got {limit} instead.",
                param=name,
                code="integer_below_min_value",
            )
        return limit
    return None
