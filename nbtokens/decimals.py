"""Money is added up in a decimal context of our own.

Decimal arithmetic obeys the context of its thread, and that is the user's: `decimal.getcontext().prec = 3` would round
every sum here, and a trap that he has set would raise in the middle of it.
"""

from __future__ import annotations

from decimal import Context, DivisionByZero, InvalidOperation, Overflow, getcontext, setcontext
from functools import wraps
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

OURS: Final = Context(
    prec=28, rounding="ROUND_HALF_EVEN", Emin=-999_999, Emax=999_999, capitals=1, clamp=0, flags=[],
    traps=[InvalidOperation, DivisionByZero, Overflow],
)  # fmt: skip
"""Python's own default, spelled out: that one can be changed, too."""


def exactly(function: Callable[P, T]) -> Callable[P, T]:
    """Have a function that adds up money do so whatever context its caller has set; no generator or coroutine."""

    @wraps(function)
    def inside(*args: P.args, **options: P.kwargs) -> T:
        theirs = getcontext()
        if theirs is OURS:
            return function(*args, **options)
        setcontext(OURS)
        try:
            return function(*args, **options)
        finally:
            setcontext(theirs)

    return inside
