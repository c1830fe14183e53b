"""What a user hands over to be counted: a text, a chat, or rows of these, in a list, an array or a column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from nbtokens.errors import NbtokensError


class Rows(NamedTuple):
    """What is counted.

    Attributes:
        items: a text, a chat (a list of messages, or a request's whole body), or None for each row.
        single: whether it was one text or chat, and no rows.
        index: the index of a pandas Series; None of everything else.
    """

    items: list[Any]
    single: bool
    index: Any = None


def rows_of(data: Any) -> Rows:  # noqa: ANN401 - whatever the user has
    """The rows of what was handed over.

    Raises:
        NbtokensError: these are no rows, as of a whole DataFrame.
    """
    if hasattr(data, "columns"):
        names = ", ".join(map(repr, list(data.columns)[:5]))
        raise NbtokensError(f"a DataFrame has many columns; give the one that is sent, as df['text'] (it has {names})")
    if isinstance(data, str | Mapping) or _is_chat(data):
        return Rows([data], single=True)
    if hasattr(data, "tolist"):  # a Series, or an array
        return Rows([_row(item) for item in data.tolist()], single=False, index=getattr(data, "index", None))
    if isinstance(data, Iterable):
        return Rows([_row(item) for item in data], single=False)
    raise NbtokensError(f"a {type(data).__name__} can't be counted; give a text, a list of texts, or a column")


def _row(item: Any) -> Any:  # noqa: ANN401 - the same
    """A row as it would be sent: what is missing is None, and a number is the text of it."""
    if isinstance(item, str):
        return item or None
    if isinstance(item, list | tuple | Mapping):
        return item
    missing = item is None or item != item if isinstance(item, float) else repr(item) in {"None", "<NA>", "NaT"}  # noqa: PLR0124 - only NaN is not itself
    return None if missing else str(item)


def _is_chat(data: Any) -> bool:  # noqa: ANN401 - the same
    return isinstance(data, list) and bool(data) and all(isinstance(one, Mapping) and "role" in one for one in data)
