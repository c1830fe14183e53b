"""What somebody may have meant by a name that is none."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final, get_args

from nbtokens.analysis.selection import KNOWN
from nbtokens.errors import NbtokensError
from nbtokens.history.sums import Dimension
from nbtokens.model_facts import known_models

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbtokens.analysis.selection import Selection
    from nbtokens.views import History

_IN_TOTALS: Final = tuple(name for name in ("model", "operation", "user", "notebook") if name in get_args(Dimension))


def no_price(name: str) -> NbtokensError:
    """The error that a model's price is not known."""
    hint = _closest(name, known_models()) or "put its price into [tool.nbtokens.prices]"
    return NbtokensError(f"no price of {name!r} is known; {hint}")


def check_dimension(by: str, found: Iterable[str | None]) -> None:
    """Make sure that there is anything by which calls were grouped.

    Args:
        by: the dimension.
        found: the groups.

    Raises:
        NbtokensError: it is no field, and no call has such a tag.
    """
    groups = set(found)
    if by not in KNOWN and groups == {None}:
        hint = _closest(by, KNOWN) or f"fields are {', '.join(KNOWN)}"
        raise NbtokensError(f"{by!r} is no field, and no call has a tag of this name; {hint}")


def check_names(which: Selection, history: History) -> None:
    """Make sure that a selection that found nothing asks for what there is.

    Raises:
        NbtokensError: the history has no such model, operation, user or notebook, but others like it.
    """
    for dimension in _IN_TOTALS:
        name = getattr(which, dimension)
        known = [] if name is None else [one for one in history.totals.by(dimension) if one]
        close = _closest(name, known) if known and name not in known else ""
        if close:
            raise NbtokensError(f"no call has the {dimension} {name!r}; {close}")


def _closest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=3)
    return f"the closest {'is' if len(close) == 1 else 'are'} {', '.join(close)}" if close else ""
