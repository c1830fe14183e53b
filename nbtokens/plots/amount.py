"""What the length of a bar means: money, or tokens where nothing cost any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbtokens.history.totals import Sums


TOKENS: Final = "{x:,.0f}"
_USD: Final = "${x:,.6g}"


class Amount(NamedTuple):
    """The measure of one plot.

    Attributes:
        in_usd: whether it is money, and not tokens.
        unpriced: how many calls have no price, and so no length.
    """

    in_usd: bool
    unpriced: int

    @property
    def label(self) -> str:
        """What stands beside the axis, with the unit."""
        return "cost (USD)" if self.in_usd else "tokens (input and output)"

    @property
    def ticks(self) -> str:
        """How the axis' numbers are written."""
        return _USD if self.in_usd else TOKENS

    @property
    def word(self) -> str:
        """What the plot is of, for its title."""
        return "Cost" if self.in_usd else "Tokens"

    @property
    def note(self) -> str:
        """What the title adds."""
        return f" ({self.unpriced:,} calls unpriced)" if self.in_usd and self.unpriced else ""

    def of(self, sums: Sums) -> float:
        """The length of a bar."""
        return float(sums.cost_usd) if self.in_usd else float(sums.total_tokens)


def amount_of(groups: Iterable[Sums]) -> Amount:
    """Money where any call cost any; tokens for models that are free or have no price."""
    cost, unpriced = False, 0
    for sums in groups:
        cost = cost or bool(sums.cost_usd)
        unpriced += sums.unpriced_calls
    return Amount(cost, unpriced)
