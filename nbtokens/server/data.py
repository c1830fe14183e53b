"""What the REST answers are made from: one small interface, over the local ledger or over anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from nbtokens.order import Order, Price
    from nbtokens.record import Record
    from nbtokens.server.shapes import CostAnalysis, Overview, RunMetrics, RunMetricsDetailed, TokenUsage, UserUsage


class Period(NamedTuple):
    """Whole UTC days, both ends included."""

    first: date
    last: date


class Page(NamedTuple):
    """A page of a list, counted from 1."""

    number: int
    size: int


class Gauge(NamedTuple):
    """The sums of one model, provider, operation and user over all time, for `/metrics`."""

    provider: str | None
    model: str | None
    operation: str | None
    user: str | None
    calls: int
    failed_calls: int
    unpriced_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    duration_s: float


class UsageData(Protocol):
    """Answers questions about recorded calls.

    `user` is whose calls may count, None: everybody's. Methods are called on any thread, several at once, and may
    block. What can't be answered (a database that is down) raises `HistoryError`.
    """

    def token_usage(self, period: Period, user: str | None) -> TokenUsage:
        """The sums by operation and model, and by day."""

    def user_usage(self, of: str, period: Period) -> UserUsage:
        """The sums and average scores of one user, by operation. A user without calls has none."""

    def cost_analysis(self, period: Period, user: str | None) -> CostAnalysis:
        """What was spent on what, and what could have been saved."""

    def run_metrics(self, run_id: str, user: str | None) -> RunMetrics | None:
        """The sums of a run; None where it is not known."""

    def run_calls(self, run_id: str, user: str | None, page: Page) -> RunMetricsDetailed | None:
        """The same with some of its calls. A page behind the last one is empty."""

    def overview(self, period: Period, user: str | None) -> Overview:
        """What the web page shows."""

    def gauges(self, user: str | None) -> list[Gauge]:
        """Sums over all time."""

    def price(self, order: Order) -> Price:
        """What a call costs that was posted without its cost."""

    def keep(self, records: Sequence[Record]) -> int:
        """Keep those whose ids are not known yet, for good; returns how many. All are kept or none is."""
