"""Sums and distributions of rows, worked out by the database, for exactly what `Totals` keeps of a local history."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import Float, Integer, Label, Select, Text, and_, case, cast, func, or_, select

from nbtokens.history.distribution import GREATEST, RELATIVE_ERROR, Distribution
from nbtokens.history.sums import MEASURES, Measures
from nbtokens.team.grouping import few_groups
from nbtokens.team.tables import SUMS, daily, token_usage
from nbtokens.team.writing import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement, Connection

    from nbtokens.record import Record

_row = token_usage.c
_MULTIPLIER: Final = 1 / log((1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR))
_is_call: ColumnElement[bool] = _row.kind == "call"
_is_timed: ColumnElement[bool] = and_(
    _is_call, _row.status == "ok", func.coalesce(_row.output_tokens, 0) != 0, func.coalesce(_row.duration_s, 0) != 0
)
_SPEED: ColumnElement[float] = case(
    (and_(_is_timed, _row.duration_s * GREATEST < _row.output_tokens), GREATEST),  # more than a number holds
    (_is_timed, cast(_row.output_tokens, Float) / _row.duration_s),
)
_is_unpriced: ColumnElement[bool] = and_(
    _row.cost_usd.is_(None),
    or_(_row.status == "ok", func.coalesce(_row.input_tokens, 0) != 0, func.coalesce(_row.output_tokens, 0) != 0),
)
_is_hit: ColumnElement[bool] = _row.kind == "cache_hit"
_is_run: ColumnElement[bool] = _row.kind == "run"


def _count(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _sum(column: ColumnElement[Any], condition: ColumnElement[bool] = _is_call) -> ColumnElement[Any]:
    return func.sum(case((condition, column)))


_SUMS: Final[dict[str, ColumnElement[Any]]] = {
    "calls": _count(_is_call),
    "failed_calls": _count(and_(_is_call, _row.status == "error")),
    "unpriced_calls": _count(and_(_is_call, _is_unpriced)),
    "priced_calls": _count(and_(_is_call, _row.cost_usd.is_not(None))),
    "priced_tokens": _sum(_row.total_tokens, and_(_is_call, _row.cost_usd.is_not(None))),
    "estimated_calls": _count(and_(_is_call, _row.usage_source == "estimated")),
    "incomplete_calls": _count(and_(_is_call, _row.complete.is_(False))),
    "cache_hits": _count(_is_hit),
    "saved_tokens": _sum(_row.total_tokens, _is_hit),
    "saved_cost_usd": _sum(_row.saved_cost_usd, _is_hit),
    "runs": _count(_is_run),
    "runs_without_calls": _count(and_(_is_run, func.coalesce(_row.calls, 0) == 0)),
    "timed_output_tokens": _sum(_row.output_tokens, _is_timed),
    "timed_s": _sum(_row.duration_s, _is_timed),
    "first_at": func.min(case((_is_call, _row.started_at)), type_=_row.started_at.type),
    "last_at": func.max(case((_is_call, _row.started_at)), type_=_row.started_at.type),
}


def sums_of_rows(by: Sequence[Label[Any]], condition: ColumnElement[bool]) -> Select[Any]:
    """The sums of the rows of each group, named as `Sums` does. What `rollups` gives is not in it."""
    sums = [(_SUMS[name] if name in _SUMS else _sum(_row[name])).label(name) for name in SUMS]
    return select(*by, *sums).where(condition, _row.kind.in_(("call", "cache_hit", "run"))).group_by(*by)


def sums_of_days(by: Sequence[ColumnElement[Any]], condition: ColumnElement[bool]) -> Select[Any]:
    """The same from the sums of days."""
    combine: dict[str, Any] = {"first_at": func.min, "last_at": func.max}
    sums = [combine.get(name, func.sum)(daily.c[name]).label(name) for name in SUMS]
    return select(*by, *sums).where(condition).group_by(*by)


_FIGURES: Final = ("count", "sum", "least", "most")
_VALUES: Final[dict[str, ColumnElement[Any]]] = {
    **{name: _row[name] for name in MEASURES if name != "tokens_per_second"},
    "output_tokens": func.nullif(_row.output_tokens, 0),
    "tokens_per_second": _SPEED,
}


def measures_of_rows(
    connection: Connection, by: Sequence[Label[Any]], condition: ColumnElement[bool]
) -> dict[tuple[Any, ...], Measures]:
    """The distributions of the calls that succeeded, of each group, counted into their buckets by the database."""
    found: dict[tuple[Any, ...], Measures] = {}
    together = func.json_object_agg if connection.dialect.name == "postgresql" else func.json_group_object
    for name, column in _VALUES.items():
        value = cast(column, Float)
        positive = case((value > 0, value))
        bucket = cast(func.ceil(func.ln(positive) * _MULTIPLIER), Integer).label("bucket")
        figures = (func.count(), func.sum(value), func.min(value), func.max(value))
        lots = (
            select(*by, bucket, *(one.label(of) for of, one in zip(_FIGURES, figures, strict=True)))
            .where(condition, _is_call, _row.status == "ok", value.is_not(None))
            .group_by(*by, bucket)
            .subquery()
        )
        of = lots.c
        keys = [of[one.name] for one in by]
        zeros = func.sum(case((of.bucket.is_(None), of.count), else_=0))
        buckets = together(of.bucket, of.count).filter(of.bucket.is_not(None))
        sums = (func.sum(of.count), func.sum(of.sum), func.min(of.least), func.max(of.most))
        query = select(*keys, *sums, zeros, cast(buckets, Text)).group_by(*keys)
        with few_groups(connection):
            rows = connection.execute(query).all()
        for *key, count, total, least, most, of_zero, counts in rows:
            known = {} if counts is None else msgspec.json.decode(counts, type=dict[int, int])
            spread = Distribution(int(count), total, least, most, int(of_zero), known)
            setattr(found.setdefault(tuple(key), Measures()), name, spread)
    return found


def rollups(connection: Connection, condition: ColumnElement[bool]) -> Iterable[Record]:
    """The rows that hold the sums of calls that are no more: few, and read one by one."""
    return read(connection, select(token_usage).where(condition, _row.kind == "rollup"))
