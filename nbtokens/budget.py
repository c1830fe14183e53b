"""`nbtokens.budget(5.00, per="day")`: limits, set in code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from nbtokens.context import current_place
from nbtokens.limits import Limit, make_limit
from nbtokens.noted_limits import note_limits
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from decimal import Decimal


class Budget:
    """A limit that is in force; in a `with` block, until its end. `remove()` takes it away.

    Attributes:
        limit: what it says.
    """

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._before = runtime().budgets.limits
        runtime().budgets.add(limit)
        note()

    def remove(self) -> None:
        """Take the limit away."""
        runtime().budgets.remove(self.limit)
        note()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        runtime().budgets.limits = self._before
        note()

    def __repr__(self) -> str:
        return f"<budget of {self.limit}, then {self.limit.then}>"


def note() -> None:
    """Let others who look at the history know of this process's limits."""
    here = runtime()
    note_limits(here.config, here.session.id, here.session.reset_at, current_place().notebook, here.budgets.limits)


def budget(  # noqa: PLR0913 - the fields of a limit
    cost_usd: Decimal | float | str | None = None,
    *,
    tokens: int | str | None = None,
    per: str = "session",
    warn_at: float | str = 0.8,
    then: str = "stop",
    unpriced: str = "warn",
) -> Budget:
    """Limit what calls may use. It is asked before a request is sent, with the request's own estimate.

    Args:
        cost_usd: money, in USD.
        tokens: input and output tokens together, as 200000 or "200k"; for models of one's own machine too.
        per: "session", "day", "month" (UTC), "cell" (one run of it), "notebook" (all time), or "minute".
        warn_at: the share at which you are told, as 0.8 or "80%".
        then: "stop": the call is not sent, `BudgetExceeded` is raised. "warn": it is sent, and you are told. "wait":
            with per="minute", it waits until there is room.
        unpriced: what happens to calls whose price is not known: "warn" or "stop".

    Returns:
        The budget; another one for the same period replaces it.

    Raises:
        ConfigError: a value can't be used.
    """
    return Budget(make_limit(cost_usd, tokens=tokens, per=per, warn_at=warn_at, then=then, unpriced=unpriced))
