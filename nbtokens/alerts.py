"""Being told when a call, an operation or a day passes a bound: `[tool.nbtokens.alerts]`, `nbtokens.on_alert(...)`."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from nbtokens.amounts import count, seconds, usd
from nbtokens.decimals import exactly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbtokens.record import Record

_QUALITY: Final = ("quality", "quality_score")


class AlertBounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds whose passing is told. None of them stops a call; budgets do that.

    Attributes:
        max_daily_cost_usd: what all calls of a day (UTC) may cost, in USD.
        max_operation_cost_usd: what the calls of one operation may cost in a session, in USD.
        max_tokens_per_call: input and output tokens of one call.
        max_duration_s: seconds that one call may take.
        min_quality_score: the least that a score named `quality` may be.
    """

    max_daily_cost_usd: Decimal | None = None
    max_operation_cost_usd: Decimal | None = None
    max_tokens_per_call: int | None = None
    max_duration_s: float | None = None
    min_quality_score: float | None = None


NO_BOUNDS: Final = AlertBounds()


class Alert(NamedTuple):
    """A bound that was passed.

    Attributes:
        bound: its name in the settings.
        message: what happened, for people.
        record: the call that passed it.
    """

    bound: str
    message: str
    record: Record


class Alerts:
    """Looks at every record, and tells of the bounds that it passes; of a day and an operation once.

    Attributes:
        bounds: the settings.
        callbacks: called with each alert, on the thread that made the call.

    Args:
        spent_on: what all calls of a day (`2026-11-22`, UTC) cost.
        tell: says a sentence to the user, once.
    """

    def __init__(self, spent_on: Callable[[str], Decimal], tell: Callable[[str], None]) -> None:
        self.bounds = NO_BOUNDS
        self.callbacks: list[Callable[[Alert], None]] = []
        self._spent_on = spent_on
        self._tell = tell
        self._of_operations: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._told: set[tuple[str, str]] = set()

    @exactly
    def check(self, record: Record) -> None:
        """A record was kept."""
        for alert in self._passed(record):
            self._tell(alert.message)
            for callback in self.callbacks:
                callback(alert)

    def _passed(self, record: Record) -> Iterator[Alert]:
        bounds = self.bounds
        if record.kind == "score":
            yield from self._of_score(record)
        if record.kind != "call":
            return
        what = f"A call of {record.model or 'a model'}"
        most, tokens = bounds.max_tokens_per_call, record.total_tokens or 0
        if most is not None and tokens > most:
            message = f"{what} used {count(tokens)} tokens; max_tokens_per_call is {count(most)}."
            yield Alert("max_tokens_per_call", message, record)
        longest, took = bounds.max_duration_s, record.duration_s or 0.0
        if longest is not None and took > longest:
            yield Alert("max_duration_s", f"{what} took {seconds(took)}; max_duration_s is {seconds(longest)}.", record)
        yield from self._of_sums(record)

    def _of_sums(self, record: Record) -> Iterator[Alert]:
        most, operation = self.bounds.max_operation_cost_usd, record.operation
        if most is not None and operation is not None and record.cost_usd:
            self._of_operations[operation] += record.cost_usd
            spent = self._of_operations[operation]
            if spent > most and self._is_first("operation", operation):
                message = f"{operation!r} has cost {usd(spent)} in this session; max_operation_cost_usd is {usd(most)}."
                yield Alert("max_operation_cost_usd", message, record)
        most = self.bounds.max_daily_cost_usd
        if most is not None and record.cost_usd:
            day = datetime.now(UTC).date().isoformat()
            spent = self._spent_on(day)
            if spent > most and self._is_first("day", day):
                message = f"The calls of {day} have cost {usd(spent)}; max_daily_cost_usd is {usd(most)}."
                yield Alert("max_daily_cost_usd", message, record)

    def _of_score(self, record: Record) -> Iterator[Alert]:
        least = self.bounds.min_quality_score
        for name in _QUALITY:
            value = (record.scores or {}).get(name)
            if least is not None and value is not None and value < least:
                yield Alert(
                    "min_quality_score", f"A {name} of {value:g} was scored; min_quality_score is {least:g}.", record
                )

    def _is_first(self, kind: str, name: str) -> bool:
        if (kind, name) in self._told:
            return False
        self._told.add((kind, name))
        return True
