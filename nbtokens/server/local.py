"""The answers from the local ledger: from its totals where these tell enough, else from its records."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Final

from nbtokens.analysis.savings import Waste
from nbtokens.analysis.scores import Average, scores_of
from nbtokens.analysis.selection import Selection
from nbtokens.errors import HistoryError
from nbtokens.folder import make_folder
from nbtokens.history import open_history
from nbtokens.history.archive import Archive
from nbtokens.history.file_lock import LockedFile
from nbtokens.history.follow import Follower
from nbtokens.history.totals import Sums
from nbtokens.model_facts import siblings
from nbtokens.prices import PriceBook
from nbtokens.record import encode
from nbtokens.server import counting
from nbtokens.server.data import Gauge
from nbtokens.server.shapes import (
    CostAnalysis,
    OperationOfUser,
    Overview,
    Recommendation,
    RunMetricsDetailed,
    Summary,
    TokenUsage,
    TotalsOfUser,
    UserUsage,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nbtokens.config import Config
    from nbtokens.history.store import Store
    from nbtokens.history.totals import Key
    from nbtokens.order import Order, Price
    from nbtokens.record import Record
    from nbtokens.server.data import Page, Period
    from nbtokens.server.shapes import RunMetrics

logger: Final = logging.getLogger("nbtokens")

_PRICES_WAIT: Final = 10.0
_MOST_NAMED: Final = 50
_LOCK_WAIT: Final = 10.0
_LOCK_NAME: Final = "posted.lock"


def local_data(config: Config) -> LocalData:
    """The answers from the ledger of a project."""
    return LocalData(open_history(config.folder, logger.warning), PriceBook(config.settings))


class LocalData:
    """A `UsageData` over one ledger.

    Args:
        store: the ledger.
        prices: what calls cost, to work out what other calls would have cost.
    """

    def __init__(self, store: Store, prices: PriceBook) -> None:
        self._store = store
        self._prices = prices
        self._keeping = threading.Lock()
        self._known: set[bytes] = set()
        self._follow: Follower | None = None
        self._turn = LockedFile(store.folder / _LOCK_NAME, lambda: make_folder(store.folder), lambda _: None)

    def token_usage(self, period: Period, user: str | None) -> TokenUsage:
        """The sums by operation and model, and by day."""
        rows = self._rows(period, user)
        summary = Summary(counting.operations_of_models(rows), counting.totals_of(rows))
        return TokenUsage(_period("Token usage", period), summary, counting.days_of(rows))

    def user_usage(self, of: str, period: Period) -> UserUsage:
        """The sums and average scores of one user, by operation."""
        rows = self._rows(period, of)
        scores = scores_of(record for record in self._store.records() if record.scores)
        averages: dict[str, dict[str, Average]] = {}
        for call in self._records(period, of) if scores else ():
            for name, value in scores.get(call.id, {}).items():
                averages.setdefault(counting.operation_of(call), {}).setdefault(name, Average()).add(value)
        totals = counting.totals_of(rows)
        return UserUsage(
            of,
            [
                OperationOfUser(
                    operation_type=name,
                    operation_count=sums.calls,
                    total_cost_usd=counting.cost_of(sums),
                    avg_quality_score=_average(averages, name, "quality"),
                    avg_safety_score=_average(averages, name, "safety"),
                )
                for name, sums in counting.grouped(rows, counting.operation_of).items()
            ],
            TotalsOfUser(total_operations=totals.total_operations, total_cost_usd=totals.total_cost_usd),
        )

    def cost_analysis(self, period: Period, user: str | None) -> CostAnalysis:
        """What was spent on what, and what could have been saved."""
        rows, waste, every = self._rows(period, user), Waste(), Sums()
        for _, sums in rows:
            every.merge(sums)
        for record in self._records(period, user):
            waste.look(record)
        savings = waste.savings(self.price, siblings)
        operations = counting.grouped(rows, counting.operation_of)
        return CostAnalysis(
            total_cost_usd=counting.cost_of(every),
            total_tokens=every.total_tokens,
            unpriced_calls=every.unpriced_calls,
            cost_per_token=counting.operation_cost(every).cost_per_token,
            operation_costs={name: counting.operation_cost(sums) for name, sums in operations.items()},
            recommendations=[f"{one.where}: {one.advice}" for one in savings],
            recommendation_details=[Recommendation(**one._asdict()) for one in savings],
        )

    def run_metrics(self, run_id: str, user: str | None) -> RunMetrics | None:
        """The sums of a run; None where it is not known."""
        run = self._run(run_id, user)
        return None if run is None else counting.run_metrics(run_id, run[0])

    def run_calls(self, run_id: str, user: str | None, page: Page) -> RunMetricsDetailed | None:
        """The same with some of its calls."""
        run = self._run(run_id, user)
        if run is None:
            return None
        sums, calls = run
        start = (page.number - 1) * page.size
        return RunMetricsDetailed(
            **counting.run_fields(run_id, sums),
            page=page.number,
            per_page=page.size,
            pages=-(-len(calls) // page.size),
            calls=[counting.call_row(record) for record in calls[start : start + page.size]],
        )

    def overview(self, period: Period, user: str | None) -> Overview:
        """What the web page shows."""
        rows = self._rows(period, user)
        cells: dict[str, Sums] = {}
        for record in self._records(period, user):
            if record.kind == "call" and record.cell is not None:
                cells.setdefault(f"{record.notebook or ''} [{record.cell}]".lstrip(), Sums()).add(record)
        dearest = dict(sorted(cells.items(), key=lambda one: (-one[1].cost_usd, -one[1].total_tokens, one[0])))
        recent = self._store.view(lambda totals: list(totals.recent))
        return Overview(
            first_day=period.first.isoformat(),
            last_day=period.last.isoformat(),
            totals=counting.totals_of(rows),
            daily_usage=counting.days_of(rows),
            users=counting.named(counting.grouped(rows, lambda key: key.user), _MOST_NAMED),
            models=counting.named(counting.grouped(rows, lambda key: key.model), _MOST_NAMED),
            operations=counting.named(counting.grouped(rows, counting.operation_of), _MOST_NAMED),
            notebooks=counting.named(counting.grouped(rows, lambda key: key.notebook), _MOST_NAMED),
            cells=counting.named(dict(islice(dearest.items(), _MOST_NAMED)), _MOST_NAMED),
            budgets=[],
            latest=[counting.call_row(one) for one in reversed(recent) if user in (None, one.user)],
        )

    def gauges(self, user: str | None) -> list[Gauge]:
        """Sums over all time."""
        rows = self._store.view(lambda totals: [(key, one) for key, one in totals.rows.items() if one.calls])
        mine = [(key, sums) for key, sums in rows if user in (None, key.user)]
        groups = counting.grouped(mine, lambda key: (key.provider, key.model, counting.operation_of(key), key.user))
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
        """Keep those whose ids are not in the ledger yet, in one write.

        Raises:
            HistoryError: the ledger can't be written. Nothing is kept then.
        """
        try:
            with self._keeping:
                if self._turn.acquire(_LOCK_WAIT) is None:
                    raise HistoryError("Another process takes records in; send the batch again.")
                try:
                    return self._keep(records)
                finally:
                    self._turn.release()
        except OSError as error:
            raise HistoryError(f"The usage history can't be written ({error.strerror or error}).") from error

    def _keep(self, records: Sequence[Record]) -> int:
        self._learn_ids()
        new = {record.id: record for record in reversed(records) if _digest(record.id) not in self._known}
        if new:
            lines = [encode(record) for record in reversed(new.values())]
            if self._store.journal.append(lines, _LOCK_WAIT) is None:
                raise HistoryError("The usage history was locked by another process; send the batch again.")
        return len(new)

    def _learn_ids(self) -> None:
        """The ids of the ledger, each by a few bytes; what is new in the file since the last time is read."""
        if self._follow is None:
            self._follow = Follower(self._store.journal)
            self._known.update(_digest(record.id) for record in Archive(self._store.folder).rows())
        self._known.update(_digest(record.id) for record in self._follow())

    def _rows(self, period: Period, user: str | None) -> list[tuple[Key, Sums]]:
        return self._store.view(lambda totals: counting.in_period(totals, period, user))

    def _records(self, period: Period, user: str | None) -> Iterator[Record]:
        since = datetime(period.first.year, period.first.month, period.first.day, tzinfo=UTC)
        last = datetime(period.last.year, period.last.month, period.last.day, tzinfo=UTC)
        until = last + timedelta(days=1) if period.last < date.max else None
        return Selection(since=since, until=until, user=user).of(self._store.records())

    def _run(self, run_id: str, user: str | None) -> tuple[Sums, list[Record]] | None:
        sums, calls, known = Sums(), [], False
        for record in Selection(run=run_id, user=user).of(self._store.records()):
            known = True
            sums.add(record)
            if record.kind == "call":
                calls.append(record)
        return (sums, calls) if known else None


def _average(averages: dict[str, dict[str, Average]], operation: str, name: str) -> float | None:
    one = averages.get(operation, {}).get(name)
    return None if one is None else one.value


def _digest(record_id: str) -> bytes:
    return blake2b(record_id.encode("utf-8", "surrogatepass"), digest_size=12).digest()


def _period(what: str, period: Period) -> str:
    return f"{what} from {period.first} to {period.last} (UTC)"
