"""The answers: figures of the local ledger or of the team's database, in the shapes that are promised."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeVar

from nbtokens.analysis.savings import savings_of
from nbtokens.analysis.scores import Average
from nbtokens.errors import ConfigError
from nbtokens.history import open_history
from nbtokens.history.sums import Sums
from nbtokens.model_facts import siblings
from nbtokens.prices import PriceBook
from nbtokens.server import counting
from nbtokens.server.data import Gauge
from nbtokens.server.keeping import Keeper
from nbtokens.server.local import LocalSource
from nbtokens.server.shapes import (
    CostAnalysis,
    LeftOut,
    OperationOfUser,
    Overview,
    Recommendation,
    RunMetrics,
    RunMetricsDetailed,
    Summary,
    TokenUsage,
    TotalsOfUser,
    UserUsage,
)
from nbtokens.shared_budgets import Known
from nbtokens.shipping import Shipping

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbtokens.analysis import left_out
    from nbtokens.config import Config
    from nbtokens.order import Order, Price
    from nbtokens.record import Record
    from nbtokens.server.data import Page, Period, Source

    T = TypeVar("T")

logger: Final = logging.getLogger("nbtokens")

_PRICES_WAIT: Final = 10.0
_LAST_WAIT: Final = 4.0
_MOST_NAMED: Final = 50
_MOST_DAILY: Final = 6
_LONG: Final = 0.2
_PATIENCE: Final = 10
_MOST_REMEMBERED: Final = 100
_MODELS: Final = ("operation", "call_type", "model")
_OPERATIONS: Final = ("operation", "call_type")


class Answers:
    """Answers questions about recorded calls, and takes records in.

    `user` is whose calls may count, None: everybody's. Methods are called on any thread, several at once, and may
    block. What can't be answered raises `NbtokensError`.

    Args:
        source: where the figures come from.
        keeper: takes records in.
        prices: what calls cost, to work out what other calls would have cost.
        shipping: sends what is taken in to the team's database.
    """

    def __init__(self, source: Source, keeper: Keeper, prices: PriceBook, shipping: Shipping) -> None:
        self._source = source
        self._keeper = keeper
        self._prices = prices
        self._shipping = shipping
        self._remembered: dict[object, _Kept] = {}

    def token_usage(self, period: Period, user: str | None) -> TokenUsage:
        """The sums by operation and model, and by day."""
        rows = self._source.rows(_MODELS, period, user)
        summary = Summary(counting.operations_of_models(rows), counting.totals_of(rows))
        days = counting.days_of(self._source.rows(("day",), period, user))
        return TokenUsage(f"Token usage from {period.first} to {period.last} (UTC)", summary, days)

    def user_usage(self, of: str, period: Period) -> UserUsage:
        """The sums and average scores of one user, by operation. A user without calls has none."""
        rows = self._source.rows(_OPERATIONS, period, of)
        averages: dict[tuple[str, str], Average] = {}
        for operation, call_type, name, average in self._source.scores(of, period):
            averages.setdefault((operation or call_type or counting.UNKNOWN, name), Average()).merge(average)
        totals = counting.totals_of(rows)
        return UserUsage(
            of,
            [
                OperationOfUser(
                    operation_type=name,
                    operation_count=sums.calls,
                    total_cost_usd=counting.cost_of(sums),
                    avg_quality_score=_value(averages.get((name, "quality"))),
                    avg_safety_score=_value(averages.get((name, "safety"))),
                )
                for name, sums in counting.grouped(rows, counting.operation_of).items()
            ],
            TotalsOfUser(total_operations=totals.total_operations, total_cost_usd=totals.total_cost_usd),
        )

    def cost_analysis(self, period: Period, user: str | None) -> CostAnalysis:
        """What was spent on what, and what could have been saved."""
        rows, every = self._source.rows(_OPERATIONS, period, user), Sums()
        for _, sums in rows:
            every.merge(sums)
        wasted = self._source.wasted(period, user)
        savings, rest = savings_of(wasted, self.price, siblings), wasted.left_out
        operations = counting.grouped(rows, counting.operation_of)
        return CostAnalysis(
            total_cost_usd=counting.cost_of(every),
            total_tokens=every.total_tokens,
            unpriced_calls=every.unpriced_calls,
            cost_per_token=counting.operation_cost(every).cost_per_token,
            operation_costs={name: counting.operation_cost(sums) for name, sums in operations.items()},
            recommendations=[*(f"{one.where}: {one.advice}" for one in savings), *_said(rest)],
            recommendation_details=[Recommendation(**one._asdict()) for one in savings],
            savings_left_out=None if rest is None else LeftOut(**rest._asdict()),
        )

    def run_metrics(self, run_id: str, user: str | None) -> RunMetrics | None:
        """The sums of a run; None where it is not known."""
        found = self._source.run(run_id, user, None)
        return None if found is None else RunMetrics(**counting.run_fields(run_id, found[0]))

    def run_calls(self, run_id: str, user: str | None, page: Page) -> RunMetricsDetailed | None:
        """The same with some of its calls. A page behind the last one is empty."""
        found = self._source.run(run_id, user, page)
        if found is None:
            return None
        sums, calls = found
        return RunMetricsDetailed(
            **counting.run_fields(run_id, sums),
            page=page.number,
            per_page=page.size,
            pages=-(-sums.calls // page.size),
            calls=[counting.call_row(record) for record in calls],
        )

    def overview(self, period: Period, user: str | None) -> Overview:
        """What the web page shows, and asks for every few seconds."""
        return self._slowly(("overview", period, user), lambda: self._overview(period, user))

    def _overview(self, period: Period, user: str | None) -> Overview:
        source = self._source

        def by(*names: str) -> dict[Any, Sums]:
            name_of = counting.operation_of if names == _OPERATIONS else lambda key: getattr(key, names[0])
            return counting.grouped(source.rows(names, period, user), name_of)

        rows, before = source.rows(("day", "model"), period, user), period.before
        models = counting.named(counting.grouped(rows, lambda key: key.model), _MOST_NAMED)
        cells = self._slowly(("cells", period, user), lambda: source.cells(period, user, _MOST_NAMED))
        latest = self._slowly(("latest", user), lambda: source.latest(user))
        return Overview(
            first_day=period.first.isoformat(),
            last_day=period.last.isoformat(),
            totals=counting.totals_of(rows),
            totals_before=counting.totals_of([] if before is None else source.rows(("day",), before, user)),
            daily_usage=counting.days_of(rows),
            daily_models=counting.days_of_models(rows, [one.name for one in models[:_MOST_DAILY]]),
            users=counting.named(by("user"), _MOST_NAMED),
            models=models,
            operations=counting.named(by(*_OPERATIONS), _MOST_NAMED),
            notebooks=counting.named(by("notebook"), _MOST_NAMED),
            cells=counting.named(dict(cells), _MOST_NAMED),
            budgets=source.budgets(user),
            latest=[counting.call_row(one) for one in latest],
        )

    def gauges(self, user: str | None) -> list[Gauge]:
        """Sums over all time, for `/metrics`."""
        rows = self._source.rows(("provider", "model", "operation", "call_type", "user"), None, user)
        groups = counting.grouped(rows, lambda key: (key.provider, key.model, counting.operation_of(key), key.user))
        return [
            Gauge(
                provider,
                model,
                operation,
                of,
                sums.calls,
                sums.failed_calls,
                sums.unpriced_calls,
                sums.input_tokens,
                sums.output_tokens,
                float(sums.cost_usd),
                sums.duration_s,
            )
            for (provider, model, operation, of), sums in groups.items()
        ]

    def price(self, order: Order) -> Price:
        """What a call costs."""
        self._prices.wait(_PRICES_WAIT)
        return self._prices.price(order)

    def keep(self, records: Sequence[Record]) -> int:
        """Keep those whose ids are not known yet, for good; returns how many. All are kept or none is."""
        return self._keeper.keep(records)

    def close(self) -> None:
        """Send what was taken in, and give everything back."""
        self._shipping.stop(_LAST_WAIT)
        close = getattr(self._source, "close", None)
        if close is not None:
            close()

    def _slowly(self, key: object, work: Callable[[], T]) -> T:
        """What takes long is worked out for one of all who ask, and not again before ten times as long has passed."""
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        kept = self._remembered.setdefault(key, _Kept())
        if kept.lock.acquire(blocking=kept.took <= _LONG):  # else another thread works on it: what there is will do
            try:
                began = time.monotonic()
                if began >= kept.due:
                    kept.found = work()
                    done = time.monotonic()
                    kept.took = done - began
                    kept.due = done + _PATIENCE * kept.took if kept.took > _LONG else 0.0
            finally:
                kept.lock.release()
        return kept.found  # type: ignore[no-any-return]


@dataclass(slots=True)
class _Kept:
    """What was worked out, how many seconds that took, and when it is due again."""

    lock: Lock = field(default_factory=Lock)
    took: float = 0.0
    due: float = 0.0
    found: Any = None


def answers_of(config: Config) -> Answers:
    """The answers for a project: from the team's database where one is set, else from its ledger.

    Raises:
        ConfigError: the database's URL is none, or what it takes is not installed.
    """
    store = open_history(config.folder, logger.warning)
    shipping = Shipping(logger.warning)
    local = LocalSource(store)
    source: Source = local
    if config.database is not None:
        try:
            from nbtokens.server.team import TeamSource  # noqa: PLC0415 - SQLAlchemy, where a database is set
        except ImportError as error:
            raise ConfigError(f"{error.name} is missing: pip install 'nbtokens[team]'") from error
        source = TeamSource(config.database, config.root, local)
        shipping.start(config, store.journal, Known())
    return Answers(source, Keeper(store), PriceBook(config.settings), shipping)


def _value(average: Average | None) -> float | None:
    return None if average is None else average.value


def _said(rest: left_out.LeftOut | None) -> list[str]:
    if rest is None:
        return []
    counted, day = rest.counted("calls that were paid for"), rest.before.date()
    return [f"Of savings: {counted} For those before them ask for end_date={day} or an earlier day."]
