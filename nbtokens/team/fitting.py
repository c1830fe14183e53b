"""Least squares of a great many points, added up by the database: what `regression.fit` works out of points at hand."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import Integer, case, func, select

from nbtokens.analysis.regression import Errors, Plane, Products
from nbtokens.team.columns import DOUBLE
from nbtokens.team.given import given, same
from nbtokens.team.grouping import few_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, FromClause, Row
    from sqlalchemy.types import TypeEngine

    from nbtokens.analysis.regression import Fit

    Keys = Mapping[str, TypeEngine[Any]]

_TINY: Final = 1e-12
_PLAIN: Final = (1e-30, 1e30)


class Fitted(NamedTuple):
    """The fit of some points.

    Attributes:
        key: what they have in common.
        least: the least value of the first of the others.
        most: the greatest.
    """

    key: tuple[Any, ...]
    points: int
    fit: Fit | None
    least: float
    most: float


def can_be_squared(value: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a number above 0 is one that PostgreSQL can square; it refuses to where nothing, or too much, is left."""
    return value.between(*_PLAIN)


def _any(_plane: Plane, _least: float, _most: float) -> bool:
    return True


def fits(  # noqa: PLR0913, PLR0917 - what is fitted to what
    connection: Connection,
    points: FromClause,
    keys: Keys,
    others: Sequence[str],
    least: int,
    matters: Callable[[Plane, float, float], bool] = _any,
) -> Iterator[Fitted]:
    """Fit `measure` to some others, for each group of so many points at least.

    The points are read twice: for the planes, and for the distances of the points from these. The planes go along with
    the second question, so that both are plain sums, of which each of the database's processes can take a part.

    Args:
        connection: to the database.
        points: the points, with columns for all of these.
        keys: what they are grouped by; never NULL.
        others: one or two columns.
        least: how many points a group must have.
        matters: tells from the plane, and the least and the most of the first of the others, whether a group's errors
            are worth to be added up; else it has no fit.
    """
    names = ("measure", *others)
    groups = _groups(connection, points, list(keys), names, least)
    planes = {}
    for number, group in enumerate(groups):
        plane = Plane.through(_products(group, len(names)))
        if plane is not None and matters(plane, group.least, group.most):
            planes[number] = plane
    wanted = {number: (groups[number], plane) for number, plane in planes.items()}
    errors = _errors(connection, points, keys, names, wanted)
    for number, group in enumerate(groups):
        fit = planes[number].fit(errors[number]) if number in errors else None
        yield Fitted(tuple(group[: len(keys)]), group.points, fit, group.least, group.most)


def _groups(
    connection: Connection, points: FromClause, keys: Sequence[str], names: Sequence[str], least: int
) -> Sequence[Row[Any]]:
    """Key, number and bounds of each group, its means, and the products of each two of what is beside the means.

    PostgreSQL works out all that is asked of two columns at once, and loses no digits.
    """
    of, by = points.c, [points.c[key] for key in keys]
    bounds = (func.min(of[names[1]]).label("least"), func.max(of[names[1]]).label("most"))
    means = (
        func.regr_avgy(of[names[0]], of[names[1]]),
        *(func.regr_avgx(of[names[0]], of[name]) for name in names[1:]),
    )
    products = (
        func.regr_sxx(of[names[0]], of[names[one]]) if one == other and one else
        func.regr_syy(of[names[0]], of[names[1]]) if one == other else
        func.regr_sxy(of[names[one]], of[names[other]])
        for one, other in _pairs(len(names))
    )  # fmt: skip
    columns: list[Any] = [*by, func.count().label("points"), *bounds, *means, *products]
    with few_groups(connection):
        return connection.execute(select(*columns).group_by(*by).having(func.count() >= least)).all()


def _products(group: Row[Any], count: int) -> Products:
    pairs = _pairs(count)
    means, products = group[-len(pairs) - count : -len(pairs)], group[-len(pairs) :]
    return Products(group.points, tuple(means), _square(count, pairs, products))


def _pairs(count: int) -> list[tuple[int, int]]:
    return list(combinations_with_replacement(range(count), 2))


def _errors(
    connection: Connection,
    points: FromClause,
    keys: Keys,
    names: Sequence[str],
    planes: Mapping[int, tuple[Row[Any], Plane]],
) -> dict[int, Errors]:
    if not planes:
        return {}
    places = range(1, len(names))
    pairs = list(combinations_with_replacement(places, 2))
    rows = [
        (number, *group[: len(keys)], 1 - 1 / group.points, *plane.of.means, *plane.slopes.tolist(),
         *(float(plane.inverse[one - 1][other - 1]) for one, other in pairs))
        for number, (group, plane) in planes.items()
    ]  # fmt: skip
    known = given(
        connection,
        rows,
        {
            "number": Integer(), **keys, "left": DOUBLE, **_doubles("mean", range(len(names))),
            **_doubles("slope", places), **{f"inverse_{one}{other}": DOUBLE for one, other in pairs},
        },
    )  # fmt: skip
    rest: list[ColumnElement[float]] = [points.c[name] - known.c[f"mean_{place}"] for place, name in enumerate(names)]
    error = rest[0]
    left: ColumnElement[float] = known.c.left
    for place in places:
        error -= known.c[f"slope_{place}"] * rest[place]
    for one, other in pairs:
        share = known.c[f"inverse_{one}{other}"] * rest[one] * rest[other]
        left -= share if one == other else 2.0 * share
    beside = [rest[place].label(f"rest_{place}") for place in places]
    distances = (
        select(known.c.number, *beside, error.label("error"), case((left > _TINY, left), else_=_TINY).label("left"))
        .join_from(points, known, same(points, known, keys))
        .subquery()
        .c
    )
    weight = (distances.error / distances.left) * (distances.error / distances.left)
    parts: list[Any] = [1.0, *(distances[f"rest_{place}"] for place in places)]
    weighted = _pairs(len(names))
    sums = (func.sum(weight * parts[one] * parts[other]) for one, other in weighted)
    query = select(distances.number, func.sum(distances.error * distances.error), *sums).group_by(distances.number)
    return {
        number: Errors(squares, _square(len(names), weighted, of)) for number, squares, *of in connection.execute(query)
    }


def _square(size: int, pairs: Sequence[tuple[int, int]], values: Sequence[float]) -> tuple[tuple[float, ...], ...]:
    """The values of pairs of numbers, each below its two numbers."""
    found = [[0.0] * size for _ in range(size)]
    for (one, other), value in zip(pairs, values, strict=True):
        found[one][other] = found[other][one] = value
    return tuple(map(tuple, found))


def _doubles(name: str, places: range) -> Keys:
    return {f"{name}_{place}": DOUBLE for place in places}
