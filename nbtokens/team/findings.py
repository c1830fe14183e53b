"""What `check` goes by, worked out by the database: the figures that `Seen` makes of a local history's rows."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Float, Integer, and_, case, cast, func, or_, select

from nbtokens.analysis.findings import (
    LEAST_FOR_P99,
    MEASURES,
    NAMED,
    NO_MODEL,
    TOO_MANY_REQUESTS,
    Beyond,
    Calls,
    Day,
    Failures,
    Findings,
    Kind,
    Speeds,
)
from nbtokens.analysis.seen import FIELDS, Seen
from nbtokens.analysis.validation import CUT_OFF
from nbtokens.team.fitting import can_be_squared, fits
from nbtokens.team.grouping import DAY_IN_MICROSECONDS, HOUR_IN_MICROSECONDS, day_of, microseconds
from nbtokens.team.selected import blocks, selected
from nbtokens.team.tables import token_usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import CTE, ColumnElement, Connection

    from nbtokens.thresholds import Thresholds

_row: Final = token_usage.c
_MODEL: Final = func.coalesce(func.nullif(_row.model, ""), func.nullif(_row.request_model, ""), NO_MODEL).label("model")
_KIND: Final = (_MODEL, _row.operation, _row.call_type)
_is_ok: Final[ColumnElement[bool]] = func.coalesce(_row.status, "") == "ok"
_is_limited: Final[ColumnElement[bool]] = _row.http_status == TOO_MANY_REQUESTS


def findings(connection: Connection, condition: ColumnElement[bool], limits: Thresholds) -> Findings:
    """The figures of the calls that a condition selects."""
    calls = and_(condition, _row.kind == "call")
    kinds = _kinds(connection, calls, limits)
    seen = Seen(limits)
    for rollups in blocks(connection, selected(FIELDS).where(condition, _row.kind == "rollup")):
        seen.look(rollups)
    speeds = _speeds(connection, calls)
    least = max(limits.least_calls, 1)
    for kind, _, [p50] in _percentiles(connection, speeds, ("model", "operation", "call_type"), (0.5,), least):
        kinds[Kind(*kind)].median_speed = p50
    for measure in MEASURES:
        _look_beyond(connection, calls, measure, kinds, limits)
    days = defaultdict(list)
    for (day, model), _, line, first, last in fits(connection, speeds, ("day", "model"), ("hour",), limits.least_calls):
        days[model].append(Day(str(day), line, first, last))
    of_models = {
        model: Speeds(count, p50, p95, days[model])
        for (model,), count, [p50, p95] in _percentiles(connection, speeds, ("model",), (0.5, 0.95), least)
    }
    return Findings(sum(one.ok + one.failed for one in kinds.values()), kinds, of_models, seen.findings().summed)


def _kinds(connection: Connection, calls: ColumnElement[bool], limits: Thresholds) -> dict[Kind, Calls]:
    cut = and_(_is_ok, _is_cut(limits.near_limit))
    query = (
        select(
            *_KIND,
            _count(_is_ok),
            func.count(),
            _count(cut),
            func.sum(case((cut, _row.cost_usd))),
            _count(_row.retry_count > 0),
            func.sum(case((~_is_ok, _row.cost_usd))),
            func.sum(case((~_is_ok, _row.duration_s))),
            _count(_is_limited),
            func.sum(case((_is_limited, _row.retry_after_s))),
            func.max(case((_is_limited, _row.retry_after_s))),
        )
        .where(calls)
        .group_by(*_KIND)
        .order_by(func.min(_row.started_at), func.min(_row.id))
    )
    found = {}
    for *kind, ok, count, of_cut, cost_of_cut, retries, cost, lost, limited, waited, longest in connection.execute(
        query
    ):
        failures = Failures(cost=cost or Decimal(0), seconds=lost or 0.0, limited=limited)
        failures.waited, failures.longest_wait = waited, longest
        found[Kind(*kind)] = Calls(ok, count - ok, of_cut, cost_of_cut or Decimal(0), retries, failures)
    error = func.coalesce(func.nullif(_row.error, ""), "error").label("what")
    errors = select(*_KIND, error, func.count()).where(calls, ~_is_ok).group_by(*_KIND, error)
    for *kind, name, number in connection.execute(errors.order_by(func.min(_row.started_at), func.min(_row.id))):
        found[Kind(*kind)].failures.errors[name] = number
    return found


def _is_cut(near_limit: float) -> ColumnElement[bool]:
    """Whether an answer ended because of its ceiling: the provider says so, or it nearly reached it."""
    reached = and_(
        _row.max_tokens > 0,
        _row.output_tokens > 0,
        cast(_row.output_tokens, Float) >= (1 - near_limit) * cast(_row.max_tokens, Float),
        func.coalesce(_row.call_type, "") != "embeddings",
    )
    return func.coalesce(or_(func.coalesce(_row.finish_reason, "").in_(CUT_OFF), reached), False)


def _speeds(connection: Connection, calls: ColumnElement[bool]) -> CTE:
    """The speeds of the calls that succeeded and were timed, and when that was."""
    of_day = microseconds(connection) % DAY_IN_MICROSECONDS
    speed = cast(_row.output_tokens, Float) / _row.duration_s
    timed = and_(calls, _is_ok, _row.output_tokens > 0, can_be_squared(_row.duration_s))
    hour = cast(of_day, Float) / float(HOUR_IN_MICROSECONDS)
    return (
        select(*_KIND, speed.label("measure"), day_of(connection).label("day"), hour.label("hour"))
        .where(timed)
        .cte("speeds")
    )


def _percentiles(
    connection: Connection, values: CTE, by: Sequence[str], shares: Sequence[float], least: int
) -> list[tuple[tuple[Any, ...], int, list[float]]]:
    """Of each group of so many values at least: its key, how many, and those at position share x (n - 1)."""
    keys = [values.c[name] for name in by]
    place = func.row_number().over(partition_by=keys, order_by=values.c.measure)
    many = func.count().over(partition_by=keys)
    ranked = select(*keys, values.c.measure, place.label("place"), many.label("many")).cte("ranked")
    wanted = [ranked.c.place == _place_of(share, ranked.c.many) for share in shares]
    marks = [func.max(case((is_it, ranked.c.measure))) for is_it in wanted]
    query = select(*(ranked.c[name] for name in by), ranked.c.many, *marks).where(ranked.c.many >= least, or_(*wanted))
    rows = connection.execute(query.group_by(*(ranked.c[name] for name in by), ranked.c.many))
    return [(tuple(row[: len(by)]), row[len(by)], list(row[len(by) + 1 :])) for row in rows]


def _look_beyond(
    connection: Connection, calls: ColumnElement[bool], measure: str, kinds: dict[Kind, Calls], limits: Thresholds
) -> None:
    """Calls beyond p99 of their kind, and the ids of the largest."""
    value = cast(_row[MEASURES[measure]], Float).label("value")
    of = select(*_KIND, _row.id, _row.started_at, value).where(calls, _is_ok, value.is_not(None)).cte("of")
    keys = [of.c.operation, of.c.model, of.c.call_type]
    place = (
        func.row_number()
        .over(partition_by=keys, order_by=[of.c.value, of.c.started_at.desc(), of.c.id.desc()])
        .label("place")
    )
    ranked = select(of, place, func.count().over(partition_by=keys).label("many")).cte("ranked")
    keys = [ranked.c.operation, ranked.c.model, ranked.c.call_type]
    p50, p99 = (
        func.max(case((ranked.c.place == _place_of(share, ranked.c.many), ranked.c.value)))
        .over(partition_by=keys)
        .label(name)
        for name, share in (("p50", 0.5), ("p99", 0.99))
    )
    enough = ranked.c.many >= max(LEAST_FOR_P99, limits.least_calls)
    marked = select(ranked, p50, p99).where(enough).cte("marked")
    keys = [marked.c.operation, marked.c.model, marked.c.call_type]
    least = func.min(marked.c.value).over(partition_by=keys).label("least")
    beyond = (
        select(marked, func.count().over(partition_by=keys).label("beyond"), least)
        .where(marked.c.value >= marked.c.p99, marked.c.value > limits.outlier * marked.c.p50)
        .cte("beyond")
    )
    longest = select(beyond).where(beyond.c.place > beyond.c.many - NAMED).order_by(beyond.c.place.desc())
    rows: dict[Kind, list[Any]] = defaultdict(list)
    for row in connection.execute(longest):
        rows[Kind(row.model, row.operation, row.call_type)].append(row)
    for kind, [first, *rest] in rows.items():
        ids = [first.id, *(row.id for row in rest)]
        one = Beyond(measure, first.p50, first.p99, first.beyond, first.least, first.value, ids)
        kinds[kind].beyond.append(one)


def _place_of(share: float, many: ColumnElement[Any]) -> ColumnElement[Any]:
    """Where the value at position share x (n - 1), rounded down, stands, counted from 1."""
    return cast(func.floor(share * cast(many - 1, Float)), Integer) + 1


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))
