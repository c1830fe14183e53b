"""Percentiles of a great many values, exact, without sorting them all.

All are counted into narrow buckets, which tells in which of these a percentile lies; only its values are sorted.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from sqlalchemy import Integer, Text, and_, case, cast, func, select

from nbtokens.team.given import given, same
from nbtokens.team.grouping import few_groups

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence
    from typing import TypeVar

    from sqlalchemy import ColumnElement, Connection, Subquery

    Name = TypeVar("Name", bound=Hashable)

_PER_E: Final = 50.0
"""A bucket's greatest value is 2 % above its least."""
_BELOW_ALL: Final = -(2**31)

Key: TypeAlias = tuple[Any, ...]
Counts: TypeAlias = dict[Key, dict[int, int]]
"""What values have in common -> number of a bucket -> how many values are in it."""


class Asked(NamedTuple):
    """Percentiles to find.

    Attributes:
        keys: whose values count, together.
        shares: each stands for the value at position share x (n - 1), rounded down.
    """

    keys: Sequence[Key]
    shares: Sequence[float]


def counted(connection: Connection, values: Subquery, by: Sequence[str]) -> Counts:
    """How many values there are in each bucket.

    Args:
        connection: to the database.
        values: with the columns that they are told apart by, texts, and `measure`, which is never NULL.
        by: these columns.
    """
    keys = [values.c[name] for name in by]
    bucket = _bucket(values).label("bucket")
    found: Counts = defaultdict(dict)
    with few_groups(connection):
        rows = connection.execute(select(*keys, bucket, func.count()).group_by(*keys, bucket)).all()
    for *key, number, count in rows:
        found[tuple(key)][number] = count
    return found


def percentiles(
    connection: Connection, values: Subquery, by: Sequence[str], counts: Counts, asked: Mapping[Name, Asked]
) -> dict[Name, list[float]]:
    """The values at the places that are asked for.

    Args:
        connection: to the database.
        values: as they were counted.
        by: the same.
        counts: of `counted`.
        asked: what to call the answer -> what is asked.
    """
    names, places = list(asked), []
    looked_in: set[tuple[Any, ...]] = set()
    for number, (keys, shares) in enumerate(asked.values()):
        for which, (bucket, place) in enumerate(_places(counts, keys, shares)):
            looked_in.update((number, bucket, *key) for key in keys if bucket in counts[key])
            places.append((number, bucket, place, which))
    if not places:
        return {}
    numbers = {"number": Integer(), "bucket": Integer()}
    within = given(connection, looked_in, {**numbers, **dict.fromkeys(by, Text())})
    wanted = given(connection, places, {**numbers, "place": Integer(), "which": Integer()})
    is_there = and_(same(values, within, by), _bucket(values) == within.c.bucket)
    group, measure = (within.c.number, within.c.bucket), values.c.measure
    distinct = select(*group, measure, func.count().label("many")).join_from(values, within, is_there)
    lots = distinct.group_by(*group, measure).subquery().c
    until = func.sum(lots.many).over(partition_by=(lots.number, lots.bucket), order_by=lots.measure)
    ranked = select(lots.number, lots.bucket, lots.measure, lots.many, until.label("until")).subquery().c
    holds = and_(
        ranked.number == wanted.c.number,
        ranked.bucket == wanted.c.bucket,
        ranked.until > wanted.c.place,
        ranked.until - ranked.many <= wanted.c.place,
    )
    found = {name: [0.0] * len(one.shares) for name, one in asked.items()}
    query = select(wanted.c.number, wanted.c.which, ranked.measure).join(wanted, holds)
    for number, which, value in connection.execute(query):
        found[names[number]][which] = value
    return found


def _places(counts: Counts, keys: Sequence[Key], shares: Sequence[float]) -> list[tuple[int, int]]:
    """For each share the bucket, and the place within it, counted from 0."""
    together: dict[int, int] = defaultdict(int)
    for key in keys:
        for bucket, count in counts[key].items():
            together[bucket] += count
    many = sum(together.values())
    found = []
    for share in shares:
        place = int(share * (many - 1))
        for bucket in sorted(together):
            if place < together[bucket]:
                found.append((bucket, place))
                break
            place -= together[bucket]
    return found


def _bucket(values: Subquery) -> ColumnElement[int]:
    measure = values.c.measure
    number = cast(func.ceil(func.ln(case((measure > 0, measure))) * _PER_E), Integer)
    return func.coalesce(number, _BELOW_ALL)
