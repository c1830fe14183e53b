"""The error of a call that a budget stopped, on its way out of a worker."""

from __future__ import annotations

from nbtokens import limits


class BudgetExceeded(limits.BudgetExceeded, Exception):  # noqa: N818 - the name that users know
    """The same error, for those who run work for others and know `Exception` alone.

    A pool whose worker raises anything else never gives an answer, and neither does a client of Dask. Nobody tries the
    call again here: the work has ended.
    """


def is_stop(error: BaseException) -> bool:
    """Whether an error is that of a stopped call, and not made for the way out yet."""
    return isinstance(error, limits.BudgetExceeded) and not isinstance(error, Exception)


def as_exception(error: BaseException) -> BudgetExceeded:
    """What to raise in its place, behind the work."""
    return BudgetExceeded(*error.args).with_traceback(error.__traceback__)
