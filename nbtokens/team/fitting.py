"""Least squares of a great many points, added up by the database: what `regression.fit` works out of points at hand."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import and_, case, func, select, true

from nbtokens.analysis.regression import Errors, Products, fit_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import CTE, ColumnElement, Connection, Select

    from nbtokens.analysis.regression import Fit

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


def fits(
    connection: Connection, points: CTE, keys: Sequence[str], others: Sequence[str], least: int
) -> Iterator[Fitted]:
    """Fit `measure` to some others, for each group of so many points at least.

    Args:
        connection: to the database.
        points: the points, with columns for all of these.
        keys: what they are grouped by; never NULL.
        others: one or two columns.
        least: how many points a group must have.
    """
    names = ("measure", *others)
    pairs = list(combinations_with_replacement(range(len(names)), 2))
    for row in connection.execute(_query(points, keys, names, pairs, least)).mappings():
        products, weighted = ([[0.0] * len(names) for _ in names] for _ in range(2))
        for one, other in pairs:
            products[one][other] = products[other][one] = row[f"product_{one}{other}"]
            weighted[one][other] = weighted[other][one] = row[f"weighted_{one}{other}"] or 0.0
        means = tuple(row[f"mean_{number}"] for number in range(len(names)))
        found = Products(row["points"], means, tuple(map(tuple, products)))
        errors = Errors(row["squares"] or 0.0, tuple(map(tuple, weighted)))
        key = tuple(row[name] for name in keys)
        yield Fitted(key, row["points"], fit_of(found, errors), row["least"], row["most"])


def _query(
    points: CTE, keys: Sequence[str], names: Sequence[str], pairs: Sequence[tuple[int, int]], least: int
) -> Select[Any]:
    means = (
        select(
            *(points.c[key] for key in keys),
            func.count().label("points"),
            *(func.avg(points.c[name]).label(f"mean_{number}") for number, name in enumerate(names)),
            func.min(points.c[names[1]]).label("least"),
            func.max(points.c[names[1]]).label("most"),
        )
        .group_by(*(points.c[key] for key in keys))
        .having(func.count() >= least)
        .cte("means")
    )
    rest = [(points.c[name] - means.c[f"mean_{number}"]) for number, name in enumerate(names)]
    products = (
        select(
            *_once(means, [column.name for column in means.c], keys),
            *(func.sum(rest[one] * rest[other]).label(f"product_{one}{other}") for one, other in pairs),
        )
        .join_from(points, means, _same(points, means, keys))
        .group_by(*(means.c[key] for key in keys))
        .cte("products")
    )
    planes = select(*products.c, *_slopes(products, len(names) - 1)).cte("planes")
    rest = [(points.c[name] - planes.c[f"mean_{number}"]) for number, name in enumerate(names)]
    distances = (
        select(
            *planes.c,
            *(one.label(f"rest_{number}") for number, one in enumerate(rest)),
            _error(planes, rest).label("error"),
            _left(planes, rest).label("left"),
        )
        .join_from(points, planes, _same(points, planes, keys))
        .cte("distances")
        .prefix_with("MATERIALIZED", dialect="postgresql")  # else each of its columns is worked out a dozen times
    )
    of = distances.c
    weight = (of.error / of.left) * (of.error / of.left)
    parts: list[Any] = [1.0, *(of[f"rest_{number}"] for number in range(1, len(names)))]
    return select(
        *_once(distances, [column.name for column in products.c], keys),
        func.sum(of.error * of.error).label("squares"),
        *(func.sum(weight * parts[one] * parts[other]).label(f"weighted_{one}{other}") for one, other in pairs),
    ).group_by(*(of[key] for key in keys))


def _once(of: CTE, names: Sequence[str], keys: Sequence[str]) -> list[ColumnElement[Any]]:
    """Columns that have one value in each group: to group by the keys alone is quicker."""
    return [of.c[name] if name in keys else func.max(of.c[name]).label(name) for name in names]


def _same(points: CTE, other: CTE, keys: Sequence[str]) -> ColumnElement[bool]:
    return and_(true(), *(points.c[key] == other.c[key] for key in keys))


def _slopes(of: CTE, count: int) -> list[ColumnElement[Any]]:
    """The slopes, and the inverse of the products of the others: of one or two of them in so many words."""
    if count == 1:
        inverse = 1.0 / func.nullif(of.c.product_11, 0.0)
        return [(of.c.product_01 * inverse).label("slope_1"), inverse.label("inverse_11")]
    one, both, two = of.c.product_11, of.c.product_12, of.c.product_22
    determinant = func.nullif(one * two - both * both, 0.0)
    return [
        ((two * of.c.product_01 - both * of.c.product_02) / determinant).label("slope_1"),
        ((one * of.c.product_02 - both * of.c.product_01) / determinant).label("slope_2"),
        (two / determinant).label("inverse_11"),
        (-both / determinant).label("inverse_12"),
        (one / determinant).label("inverse_22"),
    ]


def _error(planes: CTE, rest: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
    error = rest[0]
    for number, one in enumerate(rest[1:], 1):
        error -= planes.c[f"slope_{number}"] * one
    return error


def _left(planes: CTE, rest: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
    """1 - the point's leverage, more than nothing."""
    left = 1.0 - 1.0 / planes.c.points
    for one, other in combinations_with_replacement(range(1, len(rest)), 2):
        share = planes.c[f"inverse_{one}{other}"] * rest[one] * rest[other]
        left -= share if one == other else 2.0 * share
    return case((left > _TINY, left), else_=_TINY)
