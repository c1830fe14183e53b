"""Statistics and scores of groups of any kind, and calls that are alike, added up by the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, func, select

from nbtokens.analysis.alike import alike_of_sums
from nbtokens.analysis.scores import Average
from nbtokens.analysis.selection import group_of
from nbtokens.analysis.token_stats import Group, Groups, TokenStats, sorted_groups
from nbtokens.analysis.what_if import Alike
from nbtokens.team.aggregates import measures_of_rows, rollups, sums_of_rows
from nbtokens.team.grouping import STATUS, dimension
from nbtokens.team.scores import average_scores
from nbtokens.team.sums import sums_of
from nbtokens.team.tables import token_usage
from nbtokens.team.where import MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import ColumnElement, Connection, Label

    from nbtokens.record import Record

    Averages = dict[str, Average]


def stats_by(connection: Connection, condition: ColumnElement[bool], by: Iterable[str]) -> TokenStats:
    """The statistics of the rows that a condition selects, and of their groups by some dimensions."""
    whole = _groups(connection, condition, (), lambda: None, lambda _: None).get(None, Group())
    found = {}
    for one in by:
        key = dimension(connection, one)
        found[one] = sorted_groups(one, _groups(connection, condition, (key.label,), key.name_of, group_of(one)))
    return TokenStats(whole, found)


def _groups(
    connection: Connection,
    condition: ColumnElement[bool],
    keys: Sequence[Label[Any]],
    name_of: Callable[..., str | None],
    group_of_sums: Callable[[Record], str | None],
) -> Groups:
    groups: Groups = {}
    for row in connection.execute(sums_of_rows([*keys, STATUS.label("status")], condition)):
        groups.setdefault(name_of(*row[: len(keys)]), Group()).merge(sums_of(row), row.status)
    for key, measures in measures_of_rows(connection, keys, condition).items():
        group = groups.setdefault(name_of(*key), Group())
        if group.measures is None:
            group.measures = measures
        else:
            group.measure(measures)
    for record in rollups(connection, condition):
        groups.setdefault(group_of_sums(record), Group()).add(record)
    return groups


def scores_by(
    connection: Connection, condition: ColumnElement[bool], by: Iterable[str]
) -> dict[str, dict[str | None, Averages]]:
    """For each dimension and group, the averages by name; under "" those of all calls."""
    whole: dict[str | None, Averages] = {}
    for _, score, average in average_scores(connection, (), condition):
        whole.setdefault(None, {})[score] = average
    found = {"": whole}
    for one in by:
        key = dimension(connection, one)
        groups: dict[str | None, Averages] = {}
        for group, score, average in average_scores(connection, (key.label,), condition):
            groups.setdefault(key.name_of(*group), {}).setdefault(score, Average()).merge(average)
        found[one] = groups
    return found


def alike_calls(connection: Connection, condition: ColumnElement[bool], sizes: Sequence[int]) -> list[Alike]:
    """The calls that used tokens, those of one model between two sizes together; embeddings don't count."""
    row = token_usage.c
    tokens = [func.coalesce(one, 0) for one in (row.input_tokens, row.output_tokens, row.cache_read_input_tokens)]
    beyond = case(*((tokens[0] > size, size) for size in reversed(sizes)), else_=0).label("beyond")
    priced = and_(row.cost_usd.is_not(None), tokens[2] <= tokens[0]).label("priced")
    keys = (MODEL.label("model"), beyond, priced)
    query = (
        select(*keys, func.count(), *map(func.sum, tokens), func.sum(row.cost_usd))
        .where(condition, row.kind == "call", row.total_tokens != 0, func.coalesce(row.call_type, "") != "embeddings")
        .group_by(*keys)
    )
    found = [
        Alike(model, beyond, calls, int(sent), int(written), int(cached), cost if is_priced else None)
        for model, beyond, is_priced, calls, sent, written, cached, cost in connection.execute(query)
    ]
    return [*found, *alike_of_sums(rollups(connection, condition), sizes)]
