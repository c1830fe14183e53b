"""Does time follow the tokens: what `validate` tests, counted and fitted by the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Float, Integer, Text, and_, case, cast, func, literal, or_, select, union_all

from nbtokens.analysis.validation import (
    CUT_OFF,
    LEAST,
    MOST,
    Ceiling,
    Counted,
    Evidence,
    Timed,
    Validation,
    evidence_of,
    side_by_side,
)
from nbtokens.team.earlier import left_out
from nbtokens.team.fitting import can_be_squared, fits
from nbtokens.team.tables import token_usage
from nbtokens.team.where import PURPOSE

if TYPE_CHECKING:
    from sqlalchemy import CTE, ColumnElement, Connection, Select
    from sqlalchemy.types import TypeEngine

    from nbtokens.analysis.left_out import LeftOut
    from nbtokens.analysis.regression import Fit

    Group = tuple[int, str]

_row: Final = token_usage.c
_GROUP: Final[dict[str, TypeEngine[Any]]] = {"is_whole": Integer(), "model": Text()}
_LATEST_FIRST: Final = (_row.started_at.desc(), _row.id.desc())


def validation(connection: Connection, condition: ColumnElement[bool], name: str, drawn: int) -> Validation:
    """What the calls that a condition selects say; the latest 50,000 of them. So many of them are read to be drawn."""
    latest = _calls(condition).order_by(*_LATEST_FIRST).limit(MOST)
    calls = latest.cte("calls")
    points = union_all(select(literal(0).label("is_whole"), calls), select(literal(1), *_of_all(calls))).cte("points")
    by_tokens = _fits(connection, points, "tokens")
    limited = select(points).where(points.c.ceiling.is_not(None)).cte("limited")
    by_ceiling, by_both = _fits(connection, limited, "ceiling"), _fits(connection, limited, "tokens", "ceiling")
    tested = {
        of: evidence_of(of[1] or name, counted, by_tokens.get(of), by_ceiling.get(of), by_both.get(of))
        for of, counted in _counted(connection, points).items()
    }
    whole = tested.pop((1, ""), None) or evidence_of(name, Counted(0, 0, 0, None, 0), None, None, None)
    by_model = tuple(tested[one] for one in sorted(tested))
    return Validation(
        _only(by_model) or whole,
        by_model,
        side_by_side(_ceilings(connection, calls)),
        _drawn(connection, condition, drawn),
        _left_out(connection, condition) if whole.calls == MOST else None,
    )


def _only(by_model: tuple[Evidence, ...]) -> Evidence | None:
    return by_model[0] if len(by_model) == 1 else None


def _drawn(connection: Connection, condition: ColumnElement[bool], count: int) -> tuple[Timed, ...]:
    """The latest of the calls themselves, the oldest of them first."""
    rows = connection.execute(_calls(condition).order_by(*_LATEST_FIRST).limit(count)).all() if count else ()
    return tuple(
        Timed(
            row.measure,
            int(row.tokens),
            None if row.ceiling is None else int(row.ceiling),
            (row.model, row.purpose),
            bool(row.cut),
        )
        for row in reversed(rows)
    )


def _left_out(connection: Connection, condition: ColumnElement[bool]) -> LeftOut | None:
    """The calls before the latest 50,000."""
    usable = _usable(condition)
    first = connection.scalar(select(_row.started_at).where(usable).order_by(*_LATEST_FIRST).offset(MOST - 1).limit(1))
    return None if first is None else left_out(connection, usable, first, MOST, besides=MOST)


def _usable(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """The calls that have a say: succeeded, read to their end, timed, with tokens."""
    ok = and_(_row.kind == "call", _row.status == "ok", func.coalesce(_row.complete, True))
    return and_(condition, ok, _row.output_tokens > 0, can_be_squared(_row.duration_s))


def _calls(condition: ColumnElement[bool]) -> Select[Any]:
    model = func.coalesce(func.nullif(_row.model, ""), func.nullif(_row.request_model, ""), "?")
    is_cut = or_(func.coalesce(_row.finish_reason, "").in_(CUT_OFF), _row.output_tokens == _row.max_tokens)
    return select(
        model.label("model"),
        PURPOSE.label("purpose"),
        _row.duration_s.label("measure"),
        cast(_row.output_tokens, Float).label("tokens"),
        cast(_row.max_tokens, Float).label("ceiling"),
        case((is_cut, 1), else_=0).label("cut"),
    ).where(_usable(condition))


def _of_all(calls: CTE) -> list[ColumnElement[Any]]:
    return [literal("").label("model") if column.name == "model" else column for column in calls.c]


def _fits(connection: Connection, points: CTE, *others: str) -> dict[Group, Fit]:
    found = fits(connection, points, _GROUP, others, LEAST)
    return {(is_whole, model): one for (is_whole, model), _, one, _, _ in found if one is not None}


def _counted(connection: Connection, points: CTE) -> dict[Group, Counted]:
    """By model, and of all; the median of an even number is the middle of the middle two."""
    keys = [points.c[name] for name in _GROUP]
    place = func.row_number().over(partition_by=keys, order_by=points.c.measure).label("place")
    ranked = select(points, place, func.count().over(partition_by=keys).label("many")).cte("ranked")
    keys = [ranked.c[name] for name in _GROUP]
    in_the_middle = and_(ranked.c.place * 2 >= ranked.c.many, ranked.c.place * 2 <= ranked.c.many + 2)
    ceiling = ranked.c.ceiling
    query = select(
        *keys,
        func.count(),
        func.count(ceiling),
        func.count(ceiling.distinct()),
        func.avg(case((in_the_middle, ranked.c.measure))),
        func.coalesce(cast(func.max(ceiling) - func.min(ceiling), Integer), 0),
    ).group_by(*keys)
    return {(is_whole, model): Counted(*rest) for is_whole, model, *rest in connection.execute(query)}


def _ceilings(connection: Connection, calls: CTE) -> list[Ceiling]:
    of = calls.c
    query = (
        select(
            of.model,
            of.purpose,
            of.ceiling,
            func.count(),
            func.avg(of.tokens),
            func.avg(of.measure),
            func.sum(of.cut),
        )
        .where(of.ceiling.is_not(None))
        .group_by(of.model, of.purpose, of.ceiling)
    )
    rows = connection.execute(query)
    return [Ceiling((model, purpose), int(ceiling), *rest) for model, purpose, ceiling, *rest in rows]
