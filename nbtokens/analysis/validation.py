"""Does time follow the tokens that were generated, or the ceiling that was allowed?"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from datetime import UTC
from statistics import median
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from nbtokens.analysis.left_out import LeftOut
from nbtokens.analysis.regression import Effect, Fit, fit
from nbtokens.analysis.student import two_sided_p
from nbtokens.record import purpose_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from nbtokens.history.columns import Columns

LEAST: Final = 20
"""Fewer calls than these say nothing."""
SIGNIFICANT: Final = 0.01
_NOTABLE: Final = 0.05
_INSEPARABLE: Final = 0.98
MOST: Final = 50_000
"""So many of the latest calls have a say."""
DRAWN: Final = 5_000
"""So many of the latest of these are drawn."""
_LEAST_OF_A_CEILING: Final = 5

Verdict: TypeAlias = Literal["too little", "tokens", "ceiling", "both", "neither", "inseparable"]


class Timed(NamedTuple):
    """A call that was read to its end, and how long it took.

    Attributes:
        seconds: from sending to the last byte.
        tokens: that were generated.
        ceiling: its `max_tokens`, where it had one.
        kind: what like calls share: model and operation.
        cut: whether it ended because the ceiling was reached.
    """

    seconds: float
    tokens: int
    ceiling: int | None
    kind: tuple[str, str | None]
    cut: bool


class Ceiling(NamedTuple):
    """Like calls with one ceiling.

    Attributes:
        tokens: generated, on average.
        seconds: taken, on average.
        cut: how many reached the ceiling.
    """

    kind: tuple[str, str | None]
    ceiling: int
    calls: int
    tokens: float
    seconds: float
    cut: int


class Counted(NamedTuple):
    """What is counted of some calls; named as in `Evidence`."""

    calls: int
    with_ceiling: int
    ceilings: int
    median_s: float | None
    reach: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What some calls say.

    Attributes:
        name: of the calls: a model, a run.
        calls: how many there are.
        with_ceiling: how many of them had a `max_tokens`.
        ceilings: how many different ones.
        median_s: the median duration.
        by_tokens: duration by tokens alone: slope in seconds per token, intercept is the overhead.
        by_ceiling: duration by `max_tokens` alone, over the calls that had one.
        by_both: duration by both; each effect is the one that is left when the other is held.
        reach: how far apart the ceilings are, in tokens.
        verdict: what follows.
    """

    name: str
    calls: int
    with_ceiling: int
    ceilings: int
    median_s: float | None
    by_tokens: Fit | None
    by_ceiling: Fit | None
    by_both: Fit | None
    reach: int
    verdict: Verdict

    @property
    def ceiling_tested(self) -> bool:
        """Whether the ceilings differ enough among enough calls to say anything about them."""
        return self.by_both is not None and self.verdict not in ("too little", "inseparable")

    @property
    def ceiling_effect_s(self) -> Effect | None:
        """What the highest ceiling costs against the lowest, in seconds, the tokens being equal."""
        if self.by_both is None:
            return None
        slope = self.by_both.slopes[1]
        return Effect(slope.value * self.reach, slope.low * self.reach, slope.high * self.reach, slope.p)


@dataclass(frozen=True, slots=True)
class Validation:
    """What all calls say, those of each model, and like calls with different ceilings side by side.

    Attributes:
        points: the latest of the calls, to be drawn.
        left_out: earlier calls that have no say; None where all have.
    """

    whole: Evidence
    by_model: tuple[Evidence, ...]
    side_by_side: tuple[Ceiling, ...]
    points: tuple[Timed, ...]
    left_out: LeftOut | None = None


def timed(blocks: Iterable[Columns]) -> tuple[list[Timed], LeftOut | None]:
    """The calls that have a say: succeeded, read to their end, timed, with tokens; the latest 50,000 of them."""
    latest: deque[tuple[datetime, tuple[Any, ...]]] = deque(maxlen=MOST)
    count = 0
    for block in blocks:
        usable = (block.floats("duration_s") > 0) & (block.floats("output_tokens") > 0)
        states = enumerate(block.tuples("kind", "status", "complete"))
        rows = [row for row, (kind, status, complete) in states
                if kind == "call" and status == "ok" and complete is not False and usable[row]]  # fmt: skip
        if rows:
            chosen = block.only(rows)
            began = chosen.times().astype("datetime64[us]").tolist()
            latest.extend(zip(began, chosen.tuples(*TIMED), strict=True))
            count += len(rows)
    points = [_timed(fields) for _, fields in latest]
    if count <= MOST:
        return points, None
    return points, LeftOut(count - MOST, min(began for began, _ in latest).replace(tzinfo=UTC), MOST)


TIMED: Final = (
    "duration_s", "output_tokens", "max_tokens", "model", "request_model", "operation", "call_type",
    "finish_reason",
)  # fmt: skip


FIELDS: Final = frozenset({"kind", "status", "complete", *TIMED})
"""What is looked at."""


def _timed(fields: tuple[Any, ...]) -> Timed:
    seconds, tokens, ceiling, model, asked, operation, call_type, finish = fields
    kind = model or asked or "?", purpose_of(operation, call_type)
    return Timed(seconds, tokens, ceiling, kind, finish in CUT_OFF or tokens == ceiling)


CUT_OFF: Final = frozenset({"length", "max_tokens", "MAX_TOKENS", "max_output_tokens", "model_length"})
"""The providers' words for an answer that reached its ceiling."""


def validate(blocks: Iterable[Columns], name: str = "all calls") -> Validation:
    """Evidence what the duration of some calls follows."""
    points, left_out = timed(blocks)
    models: dict[str, list[Timed]] = {}
    for point in points:
        models.setdefault(point.kind[0], []).append(point)
    by_model = tuple(_test(model, of_model) for model, of_model in sorted(models.items()))
    whole = by_model[0] if len(by_model) == 1 else _test(name, points)
    return Validation(whole, by_model, side_by_side(_ceilings(points)), tuple(points[-DRAWN:]), left_out)


def slopes_differ(one: Evidence, other: Evidence) -> float | None:
    """How likely two slopes so different are where both are the same; None where there is not enough to tell.

    Welch's test on the two slopes, with the smaller of their degrees of freedom.
    """
    if one.verdict == "too little" or other.verdict == "too little" or not (one.by_tokens and other.by_tokens):
        return None
    a, b = one.by_tokens.slopes[0], other.by_tokens.slopes[0]
    free = min(one.calls, other.calls) - 2
    half = ((a.high - a.low) ** 2 + (b.high - b.low) ** 2) ** 0.5
    reach = 2 * 1.959964  # at these sample sizes the intervals' t is that of the normal distribution
    return two_sided_p((a.value - b.value) / (half / reach), free) if half else float(a.value == b.value)


def _test(name: str, points: Sequence[Timed]) -> Evidence:
    limited = [point for point in points if point.ceiling is not None]
    ceilings = {point.ceiling or 0 for point in limited}
    of_limited = [point.seconds for point in limited], [float(point.ceiling or 0) for point in limited]
    enough = len(points) >= LEAST
    by_tokens = fit([point.seconds for point in points], [float(point.tokens) for point in points]) if enough else None
    by_ceiling = by_both = None
    if len(limited) >= LEAST and len(ceilings) > 1:
        by_ceiling = fit(*of_limited)
        by_both = fit(of_limited[0], [float(point.tokens) for point in limited], of_limited[1])
    return evidence_of(
        name,
        Counted(
            len(points),
            len(limited),
            len(ceilings),
            median(point.seconds for point in points) if points else None,
            max(ceilings) - min(ceilings) if ceilings else 0,
        ),
        by_tokens,
        by_ceiling,
        by_both,
    )


def evidence_of(name: str, of: Counted, by_tokens: Fit | None, by_ceiling: Fit | None, by_both: Fit | None) -> Evidence:
    """What follows from what was counted, and from the fits."""
    return Evidence(
        name,
        of.calls,
        of.with_ceiling,
        of.ceilings,
        of.median_s,
        by_tokens,
        by_ceiling,
        by_both,
        of.reach,
        "inseparable"
        if by_tokens and by_ceiling and not by_both
        else _verdict(by_tokens, by_both, of.reach, of.median_s),
    )


def _verdict(by_tokens: Fit | None, by_both: Fit | None, reach: int, middle: float | None) -> Verdict:
    if by_tokens is None or middle is None:
        return "too little"
    if by_both is None:
        return "tokens" if _holds(by_tokens.slopes[0]) else "neither"
    if by_both.collinear > _INSEPARABLE:
        return "inseparable"
    tokens, ceiling = by_both.slopes
    by_ceiling = _holds(ceiling) and ceiling.value * reach >= _NOTABLE * middle
    if _holds(tokens):
        return "both" if by_ceiling else "tokens"
    return "ceiling" if by_ceiling else "neither"


def _holds(effect: Effect) -> bool:
    return effect.p < SIGNIFICANT and effect.value > 0


def _ceilings(points: Iterable[Timed]) -> Iterator[Ceiling]:
    groups: dict[tuple[tuple[str, str | None], int], list[Timed]] = {}
    for point in points:
        if point.ceiling is not None:
            groups.setdefault((point.kind, point.ceiling), []).append(point)
    for (kind, ceiling), of in groups.items():
        yield _ceiling(kind, ceiling, of)


def side_by_side(ceilings: Iterable[Ceiling]) -> tuple[Ceiling, ...]:
    """Those of like calls that can be compared: with enough calls each, and another ceiling that has them too."""
    enough = [one for one in ceilings if one.calls >= _LEAST_OF_A_CEILING]
    kinds = Counter(one.kind for one in enough)
    return tuple(sorted((one for one in enough if kinds[one.kind] > 1), key=lambda one: (str(one.kind), one.ceiling)))


def _ceiling(kind: tuple[str, str | None], ceiling: int, of: Sequence[Timed]) -> Ceiling:
    count = len(of)
    tokens, seconds = sum(point.tokens for point in of) / count, sum(point.seconds for point in of) / count
    return Ceiling(kind, ceiling, count, tokens, seconds, sum(point.cut for point in of))
