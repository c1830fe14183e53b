"""What `check` goes by: the figures of the calls of each model and operation, wherever these were added up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from nbtokens.record import purpose_of

if TYPE_CHECKING:
    from nbtokens.analysis.regression import Fit

NAMED: Final = 5
"""Of so many of the longest calls the ids are named."""
LEAST_FOR_P99: Final = 100
MEASURES: Final = {"duration": "duration_s", "tokens": "total_tokens"}
"""What outliers are looked for in -> the field of a record."""
TOO_MANY_REQUESTS: Final = 429
NO_MODEL: Final = "(no model)"


class Kind(NamedTuple):
    """What like calls share."""

    model: str
    operation: str | None
    call_type: str | None

    @property
    def where(self) -> str:
        """The operation and the model."""
        purpose = purpose_of(self.operation, self.call_type)
        return f"{purpose}, {self.model}" if purpose else self.model


@dataclass(slots=True)
class Failures:
    """What went wrong with the calls of one kind.

    Attributes:
        cost: of those that failed, as `seconds` is.
        limited: responses 429.
        waited: seconds that these asked to wait, in all; None where none asked.
        longest_wait: the most that one asked.
    """

    errors: Counter[str] = field(default_factory=Counter)
    cost: Decimal = Decimal(0)
    seconds: float = 0.0
    limited: int = 0
    waited: float | None = None
    longest_wait: float | None = None


class Beyond(NamedTuple):
    """Calls beyond p99, from so many times the median on.

    Attributes:
        calls: how many.
        least: the least of their values.
        ids: of those with the largest values, the largest first.
    """

    measure: str
    p50: float
    p99: float
    calls: int
    least: float
    most: float
    ids: list[str]


@dataclass(slots=True)
class Calls:
    """The calls of one kind.

    Attributes:
        ok: how many succeeded; `cut` of these were cut off, which cost `cost_of_cut`.
        failed: how many did not.
        median_speed: of those that succeeded and were timed, in tokens per second; None where these are too few.
    """

    ok: int = 0
    failed: int = 0
    cut: int = 0
    cost_of_cut: Decimal = Decimal(0)
    retries: int = 0
    failures: Failures = field(default_factory=Failures)
    median_speed: float | None = None
    beyond: list[Beyond] = field(default_factory=list)


class Day(NamedTuple):
    """The speeds of a model on one day.

    Attributes:
        line: speed by hour of the day; None also where it falls by less than what is told of.
        first: the hour of the first call.
        last: the hour of the last one.
    """

    day: str
    line: Fit | None
    first: float
    last: float


def fall_of(intercept: float, slope: float, first: float, last: float) -> float:
    """By which share of its beginning a line falls, from the first hour to the last."""
    if slope >= 0:
        return 0.0
    start = intercept + slope * first
    return -slope * (last - first) / start if start > 0 else 1.0


class Speeds(NamedTuple):
    """The speeds of a model, in tokens per second.

    Attributes:
        days: those with enough calls.
    """

    calls: int
    p50: float
    p95: float
    days: list[Day]


@dataclass(slots=True)
class Findings:
    """The calls of a history.

    Attributes:
        count: how many there are.
        kinds: in the order in which they began.
        speeds: model -> its speeds, where there are enough calls.
        summed: model -> calls that succeeded and that failed, of which only sums are kept.
    """

    count: int
    kinds: dict[Kind, Calls]
    speeds: dict[str, Speeds]
    summed: dict[str, tuple[int, int]]
