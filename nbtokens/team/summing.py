"""The sums of what is selected: from the sums of days where these can tell, else from the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from nbtokens.history.sums import Key, Sums, key_of, of_rollup
from nbtokens.history.totals import RECENT, Totals
from nbtokens.record import purpose_of
from nbtokens.team import where
from nbtokens.team.aggregates import measures_of_rows, rollups, sums_of_days, sums_of_rows
from nbtokens.team.grouping import labels
from nbtokens.team.sums import sums_of
from nbtokens.team.tables import daily, token_usage
from nbtokens.team.writing import read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from nbtokens.analysis.selection import Selection
    from nbtokens.record import Record


def totals(connection: Connection, which: Selection, *, measures: bool) -> Totals:
    """Sums and, if asked for, distributions of what is selected."""
    found = Totals()
    for key, sums in sums_by_fields(connection, Key._fields, which):
        found.take(key, sums)
    if measures:
        condition = where.of_records(which)
        by = labels(connection, ("model", "purpose"))
        for (model, purpose), one in measures_of_rows(connection, by, condition).items():
            found.take_measures((model, purpose), one)
        for record in rollups(connection, condition):
            key = key_of(record)
            found.take_measures((key.model, key.purpose), of_rollup(record)[1])
    found.recent = recent(connection, which)
    return found


def sums_by_fields(connection: Connection, names: Sequence[str], which: Selection) -> list[tuple[Key, Sums]]:
    """Sums by some fields of a key; the others are None in it, or an empty day."""
    nothing = Key("", *[None] * (len(Key._fields) - 1))
    found: dict[Key, Sums] = {}
    for values, sums in _sums(connection, names, which):
        found.setdefault(nothing._replace(**values), Sums()).merge(sums)
    return list(found.items())


def sums_by_dimension(connection: Connection, name: str | None, which: Selection) -> dict[str | None, Sums]:
    """The sums of each project or value of a field of a key, or of everything; the dearest first."""
    fields = [] if name is None else ["operation", "call_type"] if name == "operation" else [name]
    found: dict[str | None, Sums] = {}
    for values, sums in _sums(connection, fields, which):
        group = purpose_of(**values) if name == "operation" else values.get(name or "")
        found.setdefault(group, Sums()).merge(sums)
    return dict(sorted(found.items(), key=lambda one: (-one[1].cost_usd, -one[1].total_tokens, str(one[0]))))


def _sums(connection: Connection, names: Sequence[str], which: Selection) -> Iterator[tuple[dict[str, Any], Sums]]:
    days, condition = where.of_days(which), where.of_records(which)
    query = (
        sums_of_rows(labels(connection, names), condition)
        if days is None
        else sums_of_days([daily.c[name] for name in names], days)
    )
    for row in connection.execute(query):
        values: dict[str, Any] = {name: getattr(row, name) for name in names}
        if "day" in values:
            values["day"] = str(values["day"])  # a date on PostgreSQL
        yield values, sums_of(row)
    for record in rollups(connection, condition) if days is None else ():
        known = {"project": record.project, **key_of(record)._asdict()}
        yield {name: known[name] for name in names}, of_rollup(record)[0]


def recent(connection: Connection, which: Selection) -> list[Record]:
    """The latest calls, the oldest of them first."""
    query = (
        select(token_usage)
        .where(where.of_records(which), token_usage.c.kind == "call")
        .order_by(token_usage.c.started_at.desc(), token_usage.c.id.desc())
        .limit(RECENT)
    )
    return list(read(connection, query))[::-1]
