"""Which calls were wasted, found and added up by the database: what `Found` tells of a local history's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import and_, case, func, or_, select

from nbtokens.analysis.savings import LEAST_CALLS
from nbtokens.analysis.validation import CUT_OFF
from nbtokens.analysis.waste import (
    BULK,
    CACHE_LIFE_S,
    LEAST_PREFIX,
    SHORT_INPUT,
    SHORT_OUTPUT,
    Kind,
    Prefix,
    Some,
)
from nbtokens.team.grouping import CELL, HOUR_IN_MICROSECONDS, SECOND_IN_MICROSECONDS, microseconds
from nbtokens.team.tables import token_usage

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from typing import TypeVar

    from sqlalchemy import CTE, ColumnElement, Connection

    Name = TypeVar("Name", bound=Hashable)

LATEST: Final = 1_000_000
"""In so many of the latest calls savings are looked for."""
_TOKENS: Final = ("input_tokens", "cache_read_input_tokens", "output_tokens", "reasoning_output_tokens")
_HASHES: Final = ("request_hash", "prefix_hash")
_RUN: Final = ("session", "execution_count")
_OF_A_PRICE: Final = ("model", "request_model", "provider", "server_address", "service_tier")
_row: Final = token_usage.c
_NAME: Final = func.coalesce(func.nullif(_row.model, ""), func.nullif(_row.request_model, ""), "(no model)")
_WHERE: Final = case((func.coalesce(_row.operation, "") != "", _row.operation + ", " + _NAME), else_=_NAME)


class _Lot(NamedTuple):
    """Calls of one kind that were wasted alike, or not at all.

    Attributes:
        repeated: the request had been answered before; `rerun` is by an earlier run of the same cell.
        short: a short answer to a short question.
        bulk: came by the hundred in an hour.
        cell: with its notebook, of those that are `rerun`.
    """

    kind: Kind
    repeated: bool
    rerun: bool
    short: bool
    bulk: bool
    cell: str | None
    some: Some


class TeamWaste:
    """What was wasted of the calls that were looked at.

    Args:
        lots: these calls.
        prefixes: their leading blocks that came again soon, by model.
    """

    def __init__(self, lots: list[_Lot], prefixes: dict[str, list[Prefix]]) -> None:
        self._lots = lots
        self._rest = [lot for lot in lots if lot.kind.status == "ok" and not lot.repeated]
        self._prefixes = prefixes

    def failed(self) -> dict[str, Some]:
        """By model, what failed and was paid for all the same."""
        return _merged((lot for lot in self._lots if lot.kind.status != "ok"), lambda lot: lot.kind.name)

    def cut_off(self) -> dict[str, Some]:
        """By operation and model, answers that ended at their ceiling."""
        return _merged((lot for lot in self._rest if lot.kind.finish_reason in CUT_OFF), lambda lot: lot.kind.where)

    def short(self) -> dict[str, Some]:
        """By model, short answers to short questions."""
        return _merged((lot for lot in self._rest if lot.short), lambda lot: lot.kind.name)

    def repeated(self) -> dict[tuple[str, str], Some]:
        """By `embeddings`, `rerun` or `identical` and where that was, requests that had been answered before."""
        return _merged((lot for lot in self._lots if lot.repeated), _repetition)

    def bulks(self) -> dict[str, Some]:
        """By operation and model, calls that came by the hundred in an hour, and that nobody waited for."""
        return _merged((lot for lot in self._rest if lot.bulk), lambda lot: lot.kind.where)

    def prefixes(self) -> dict[str, list[Prefix]]:
        """By model, the leading blocks that came again soon, and that the provider's cache was not used for."""
        return self._prefixes


def wasted(connection: Connection, condition: ColumnElement[bool]) -> TeamWaste:
    """What was wasted of the latest calls that a condition selects."""
    calls = _calls(connection, condition)
    return TeamWaste(_lots(connection, calls), _prefixes(connection, calls))


def _repetition(lot: _Lot) -> tuple[str, str]:
    if lot.kind.call_type == "embeddings":
        return "embeddings", lot.kind.where
    return ("rerun", (lot.cell or "").strip()) if lot.rerun else ("identical", lot.kind.where)


def _merged(lots: Iterable[_Lot], name_of: Callable[[_Lot], Name]) -> dict[Name, Some]:
    found: dict[Name, Some] = {}
    for lot in lots:
        name, one = name_of(lot), lot.some
        known = found.get(name)
        if known is not None:
            last = max(known, one, key=lambda some: some.at)
            one = Some(
                known.calls + one.calls,
                known.cost + one.cost,
                known.input + one.input,
                known.cached + one.cached,
                known.output + one.output,
                last.example,
                last.at,
            )
        found[name] = one
    return found


def _calls(connection: Connection, condition: ColumnElement[bool]) -> CTE:
    """The latest calls that were paid for; whether each was repeated, and whether by an earlier run of its cell."""
    is_ok = func.coalesce(_row.status, "") == "ok"
    fields = (*Kind._fields, *_TOKENS, *_HASHES, *_RUN, "notebook", "cell", "id", "started_at", "cost_usd")
    paid = (
        select(
            *(func.coalesce(_row[name], 0).label(name) if name in _TOKENS else _row[name] for name in fields),
            _NAME.label("name"),
            _WHERE.label("place"),
            CELL.label("where_it_ran"),
            microseconds(connection).label("at"),
            is_ok.label("is_ok"),
            (func.coalesce(_row.call_type, "") == "embeddings").label("embeds"),
            case((and_(is_ok, _row.request_hash != ""), _row.request_hash)).label("request"),
            case((func.coalesce(_row.complete, True), 0), else_=1).label("is_part"),
        )
        .where(condition, _row.kind == "call", _row.cost_usd > 0)
        .order_by(_row.started_at.desc(), _row.id.desc())
        .limit(LATEST)
        .cte("paid")
    )
    of = paid.c
    order = (of.is_part, of.started_at, of.id)

    def first(name: str) -> ColumnElement[Any]:
        return func.first_value(of[name]).over(partition_by=of.request, order_by=order).label(f"first_{name}")

    seen = ("is_part", "started_at", "id", "notebook", "cell", *_RUN)
    asked = select(paid, *map(first, seen)).cte("asked")
    of = asked.c
    later = or_(of.started_at > of.first_started_at, and_(of.started_at == of.first_started_at, of.id > of.first_id))
    repeated = and_(of.request.is_not(None), of.first_is_part == 0, later)
    same_cell = and_(of.cell.is_not(None), *(_same(of, name) for name in ("cell", "notebook")))
    rerun = and_(repeated, ~of.embeds, same_cell, ~and_(*(_same(of, name) for name in _RUN)))
    known = [of[column.name] for column in paid.c]
    return select(*known, _flag(repeated, "repeated"), _flag(rerun, "rerun")).cte("calls")


def _lots(connection: Connection, calls: CTE) -> list[_Lot]:
    of = calls.c
    rest = and_(of.is_ok, of.repeated == 0)
    waited = or_(func.coalesce(of.stream, False), func.coalesce(of.service_tier, "") == "batch")
    alone = _flag(and_(rest, ~waited), "alone")
    hour = (of.at // HOUR_IN_MICROSECONDS).label("hour")
    is_cut = func.coalesce(of.finish_reason, "").in_(CUT_OFF)
    short = and_(of.output_tokens <= SHORT_OUTPUT, of.input_tokens <= SHORT_INPUT, of.reasoning_output_tokens == 0)
    told = select(calls, alone, hour, _flag(and_(short, ~is_cut, ~of.embeds), "short")).cte("told")
    of = told.c
    many = func.count().over(partition_by=[of.place, of.hour, of.alone])
    marked = select(told, _flag(and_(of.alone == 1, many >= BULK), "bulk")).cte("marked")
    of = marked.c
    cell = case((of.rerun == 1, of.where_it_ran)).label("ran_in")
    keys = [*(of[name] for name in Kind._fields), of.repeated, of.rerun, of.short, of.bulk, cell]
    sums = [func.sum(of[name]) for name in ("cost_usd", "input_tokens", "cache_read_input_tokens", "output_tokens")]
    query = select(*keys, func.count(), *sums, func.max(of.started_at)).group_by(*keys)
    width = len(Kind._fields)
    found = []
    for row in connection.execute(query):
        kind = Kind(*row[:width])
        repeated, rerun, short, bulk, cell, count, cost, sent, cached, written, at = row[width:]
        some = Some(count, cost, int(sent), int(cached), int(written), kind, at)
        found.append(_Lot(kind, bool(repeated), bool(rerun), bool(short), bool(bulk), cell, some))
    return found


def _prefixes(connection: Connection, calls: CTE) -> dict[str, list[Prefix]]:
    of = calls.c
    begun = and_(of.is_ok, of.prefix_hash != "", ~of.embeds)
    block = (of.name, of.prefix_hash)
    cached = func.min(of.cache_read_input_tokens).label("cached")
    kept = select(*block, cached).where(begun, of.cache_read_input_tokens > 0).group_by(*block).cte("kept")
    gap = of.at - func.lag(of.at).over(partition_by=block, order_by=[of.started_at, of.id])
    soon = _flag(gap.between(0, int(CACHE_LIFE_S * SECOND_IN_MICROSECONDS)), "soon")
    plain = and_(begun, of.repeated == 0, of.cache_read_input_tokens == 0, of.input_tokens >= LEAST_PREFIX)
    rows = select(calls, soon).where(plain).cte("rows_with_block")
    of = rows.c
    block = (of.name, of.prefix_hash)
    before = func.lag(of.soon).over(partition_by=block, order_by=[of.started_at, of.id])
    last = func.row_number().over(partition_by=block, order_by=[of.soon.desc(), of.started_at.desc(), of.id.desc()])
    marked = select(rows, _flag(and_(of.soon == 1, before == 0), "begins"), last.label("from_the_end")).cte("marked")
    of = marked.c
    example = [func.max(case((of.from_the_end == 1, of[name]))) for name in (*_OF_A_PRICE, "started_at")]
    again = func.sum(of.soon)
    query = (
        select(of.name, again, func.sum(of.begins), func.min(of.input_tokens), func.min(kept.c.cached), *example)
        .outerjoin_from(marked, kept, and_(of.name == kept.c.name, of.prefix_hash == kept.c.prefix_hash))
        .group_by(of.name, of.prefix_hash)
        .having(again >= LEAST_CALLS)
    )
    found: dict[str, list[Prefix]] = {}
    nothing = Kind("call", "ok", *[None] * (len(Kind._fields) - 2))
    for name, count, first, least, least_cached, *of_a_price, at in connection.execute(query):
        kind = nothing._replace(**dict(zip(_OF_A_PRICE, of_a_price, strict=True)))
        found.setdefault(name, []).append(Prefix(count, first, least, least_cached, kind, at))
    return found


def _same(of: Any, name: str) -> ColumnElement[bool]:  # noqa: ANN401 - the columns of a query
    same: ColumnElement[bool] = of[name].is_not_distinct_from(of[f"first_{name}"])
    return same


def _flag(condition: ColumnElement[bool], name: str) -> Any:  # noqa: ANN401 - a label of 0 or 1
    return case((condition, 1), else_=0).label(name)
