"""What `check` goes by, worked out by the database: the figures that `Seen` makes of a local history's rows."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Float, Integer, Text, and_, case, cast, func, or_, select

from nbtokens.analysis.findings import (
    LEAST_FOR_P99,
    MEASURES,
    NAMED,
    NO_MODEL,
    TOO_MANY_REQUESTS,
    Beyond,
    Calls,
    Day,
    Findings,
    Kind,
    Speeds,
    fall_of,
)
from nbtokens.analysis.seen import FIELDS, Seen
from nbtokens.analysis.validation import CUT_OFF
from nbtokens.team.columns import DOUBLE
from nbtokens.team.fitting import can_be_squared, fits
from nbtokens.team.given import given, same
from nbtokens.team.grouping import DAY_IN_MICROSECONDS, HOUR_IN_MICROSECONDS, few_groups, microseconds
from nbtokens.team.ranking import Asked, counted, percentiles
from nbtokens.team.selected import blocks, selected
from nbtokens.team.tables import token_usage

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Subquery

    from nbtokens.analysis.regression import Plane
    from nbtokens.team.ranking import Key
    from nbtokens.thresholds import Thresholds

_row: Final = token_usage.c
_MODEL: Final = func.coalesce(func.nullif(_row.model, ""), func.nullif(_row.request_model, ""), NO_MODEL).label("model")
_KIND: Final = (_MODEL, _row.operation, _row.call_type)
_succeeded: Final = _row.status == "ok"  # of which PostgreSQL knows how many there are, and so counts without sorting
_is_ok: Final[ColumnElement[bool]] = func.coalesce(_succeeded, False)
_is_limited: Final[ColumnElement[bool]] = _row.http_status == TOO_MANY_REQUESTS


def findings(connection: Connection, condition: ColumnElement[bool], limits: Thresholds) -> Findings:
    """The figures of the calls that a condition selects."""
    calls = and_(condition, _row.kind == "call")
    kinds = _kinds(connection, calls, limits)
    seen = Seen(limits)
    for rollups in blocks(connection, selected(FIELDS).where(condition, _row.kind == "rollup")):
        seen.look(rollups)
    of_models = _look_at_speeds(connection, calls, kinds, limits)
    for measure in MEASURES:
        _look_beyond(connection, calls, measure, kinds, limits)
    return Findings(sum(one.ok + one.failed for one in kinds.values()), kinds, of_models, seen.findings().summed)


def _kinds(connection: Connection, calls: ColumnElement[bool], limits: Thresholds) -> dict[Kind, Calls]:
    """What is counted and added up of each kind, in the order in which they began."""
    cut = and_(_is_ok, _is_cut(limits.near_limit))
    error = case((~_is_ok, func.coalesce(func.nullif(_row.error, ""), "error"))).label("error")
    query = (
        select(
            *_KIND,
            error,
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
        .group_by(*_KIND, error)
        .order_by(func.min(_row.started_at), *_KIND, error)
    )
    found: dict[Kind, Calls] = {}
    with few_groups(connection):
        rows = connection.execute(query).all()
    for *kind, name, count, of_cut, cost_of_cut, retries, cost, lost, limited, waited, longest in rows:
        of = found.setdefault(Kind(*kind), Calls())
        failures = of.failures
        if name is None:
            of.ok += count
        else:
            of.failed += count
            failures.errors[name] = count
        of.cut += of_cut
        of.cost_of_cut += cost_of_cut or 0
        of.retries += retries
        failures.cost += cost or 0
        failures.seconds += lost or 0.0
        failures.limited += limited
        if waited is not None:
            failures.waited = (failures.waited or 0.0) + waited
            failures.longest_wait = max(failures.longest_wait or 0.0, longest)
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


def _look_at_speeds(
    connection: Connection, calls: ColumnElement[bool], kinds: dict[Kind, Calls], limits: Thresholds
) -> dict[str, Speeds]:
    """The median speed of each kind, and the speeds of the models, where enough calls succeeded and were timed."""
    speeds = _speeds(connection, calls)
    counts = counted(connection, speeds, Kind._fields)
    least = max(limits.least_calls, 1)
    of_models: dict[str, list[Key]] = defaultdict(list)
    for kind in counts:
        of_models[kind[0]].append(kind)
    many = {model: sum(sum(counts[kind].values()) for kind in of) for model, of in of_models.items()}
    asked: dict[Kind | str, Asked] = {
        Kind(*kind): Asked([kind], (0.5,)) for kind, of in counts.items() if sum(of.values()) >= least
    }
    asked |= {model: Asked(of, (0.5, 0.95)) for model, of in of_models.items() if many[model] >= least}
    found = percentiles(connection, speeds, Kind._fields, counts, asked)
    days = defaultdict(list)

    def falls(line: Plane, first: float, last: float) -> bool:
        return line.slopes[0] < 0 and fall_of(line.intercept, line.slopes[0], first, last) >= limits.fall_in_a_day

    for (day, model), _, line, first, last in fits(
        connection, speeds, {"day": BigInteger(), "model": Text()}, ("hour",), limits.least_calls, falls
    ):
        days[model].append(Day(_date(day), line, first, last))
    of_model: dict[str, Speeds] = {}
    for name, values in found.items():
        if isinstance(name, Kind):
            kinds[name].median_speed = values[0]
        else:
            of_model[name] = Speeds(many[name], values[0], values[1], days[name])
    return of_model


def _speeds(connection: Connection, calls: ColumnElement[bool]) -> Subquery:
    """The speeds of the calls that succeeded and were timed, and when that was."""
    at = microseconds(connection)
    speed = cast(_row.output_tokens, Float) / _row.duration_s
    timed = and_(calls, _succeeded, _row.output_tokens > 0, can_be_squared(_row.duration_s))
    hour = cast(at % DAY_IN_MICROSECONDS, Float) / float(HOUR_IN_MICROSECONDS)
    day = (at // DAY_IN_MICROSECONDS).label("day")
    return select(*_KIND, speed.label("measure"), day, hour.label("hour")).where(timed).subquery()


def _date(day: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()


def _look_beyond(
    connection: Connection, calls: ColumnElement[bool], measure: str, kinds: dict[Kind, Calls], limits: Thresholds
) -> None:
    """Calls beyond p99 of their kind, and the ids of the largest."""
    value = cast(_row[MEASURES[measure]], Float).label("measure")
    values = select(*_KIND, _row.id, _row.started_at, value).where(calls, _succeeded, value.is_not(None)).subquery()
    counts = counted(connection, values, Kind._fields)
    enough = [kind for kind, of in counts.items() if sum(of.values()) >= max(LEAST_FOR_P99, limits.least_calls)]
    asked = {Kind(*kind): Asked([kind], (0.5, 0.99)) for kind in enough}
    marks = percentiles(connection, values, Kind._fields, counts, asked)
    names = list(marks)
    bounds = given(
        connection,
        [(number, p99, limits.outlier * p50, *kind) for number, (kind, (p50, p99)) in enumerate(marks.items())],
        {"number": Integer(), "p99": DOUBLE, "usual": DOUBLE, **dict.fromkeys(Kind._fields, Text())},
    )
    of = values.c
    is_beyond = and_(same(values, bounds, Kind._fields), of.measure >= bounds.c.p99, of.measure > bounds.c.usual)
    group = bounds.c.number
    place = func.row_number().over(partition_by=group, order_by=[of.measure.desc(), of.started_at, of.id])
    many, least = func.count().over(partition_by=group), func.min(of.measure).over(partition_by=group)
    beyond = select(group, of.id, of.measure, place.label("place"), many.label("many"), least.label("least"))
    ranked = beyond.join_from(values, bounds, is_beyond).subquery().c
    query = select(*ranked).where(ranked.place <= NAMED).order_by(ranked.number, ranked.place)
    rows: dict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(query) if marks else ():
        rows[row.number].append(row)
    for number, [first, *rest] in rows.items():
        ids = [first.id, *(row.id for row in rest)]
        p50, p99 = marks[names[number]]
        kinds[names[number]].beyond.append(Beyond(measure, p50, p99, first.many, first.least, first.measure, ids))


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))
