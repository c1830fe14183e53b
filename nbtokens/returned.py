"""What a function has returned, or a generator has given so far: its usage, and its text."""

from __future__ import annotations

import inspect
from typing import Any, Final

import msgspec

from nbtokens.call import Usage
from nbtokens.formats.plain_objects import held, text_held
from nbtokens.formats.usage_objects import ResponseUsage, usage_of

_TEXT_AT: Final = ("delta", "content", "text", "output")


class Returned:
    """Takes what comes, one thing or many.

    Attributes:
        usage: what was reported; of many, the last word of each count.
        to_come: whether a stream or an awaitable was returned, which tells its tokens only when it is read.
    """

    def __init__(self) -> None:
        self.usage: ResponseUsage | None = None
        self.to_come = False
        self._texts: list[str] = []

    @property
    def text(self) -> str:
        """The text, if there was no more than that."""
        return "".join(self._texts)

    def take(self, value: Any) -> None:  # noqa: ANN401 - anything
        """One thing more."""
        if isinstance(value, str):
            self._texts.append(value)
            return
        kind = type(value)
        if hasattr(kind, "__next__") or hasattr(kind, "__anext__") or inspect.isawaitable(value):
            self.to_come = True
            return
        found = usage_of(value)
        if found is not None:
            self.usage = found if self.usage is None else _together(self.usage, found, added=_is_share(value))
        text = text_held(value, *_TEXT_AT) or text_held(held(value, "message"), *_TEXT_AT)
        if text is not None:
            self._texts.append(text)


def _is_share(value: Any) -> bool:  # noqa: ANN401 - anything
    """Whether a part's usage is its own share: LangChain adds its chunks up, all others send what it came to so far."""
    return any(one.__name__ == "BaseMessageChunk" for one in type(value).__mro__)


def _together(before: ResponseUsage, after: ResponseUsage, *, added: bool) -> ResponseUsage:
    counts = {}
    for name in Usage.__struct_fields__:
        known = [count for count in (getattr(before, name), getattr(after, name)) if count is not None]
        counts[name] = None if not known else sum(known) if added else max(known)
    others = {name: getattr(after, name) or getattr(before, name) for name in ("model", "response_id", "service_tier")}
    raw = {**(before.raw_usage or {}), **(after.raw_usage or {})}
    return msgspec.structs.replace(after, **counts, **others, raw_usage=raw)
