"""Which calls were wasted, found and added up by the database: what `Found` tells of a local history's rows."""

from __future__ import annotations

from datetime import timedelta
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
from nbtokens.team.earlier import left_out
from nbtokens.team.grouping import CELL, HOUR_IN_MICROSECONDS, SECOND_IN_MICROSECONDS, microseconds
from nbtokens.team.tables import token_usage
from nbtokens.team.where import PURPOSE

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from typing import TypeVar

    from sqlalchemy import CTE, ColumnElement, Connection

    from nbtokens.analysis.left_out import LeftOut

    Name = TypeVar("Name", bound=Hashable)

LATEST: Final = 1_000_000
"""In so many of the latest calls savings are looked for."""
_TOKENS: Final = ("input_tokens", "cache_read_input_tokens", "output_tokens", "reasoning_output_tokens")
_ADDED: Final = ("input_tokens", "cache_read_input_tokens", "output_tokens")
_RUN: Final = ("session", "execution_count")
_OF_A_PRICE: Final = ("model", "request_model", "provider", "server_address", "service_tier")
_row: Final = token_usage.c
_NAME: Final = func.coalesce(func.nullif(_row.model, ""), func.nullif(_row.request_model, ""), "(no model)")
_WHERE: Final = func.coalesce(PURPOSE + ", ", "") + _NAME


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
        left_out: earlier calls that were not looked at; None where all were.
    """

    def __init__(self, lots: list[_Lot], prefixes: dict[str, list[Prefix]], left_out: LeftOut | None) -> None:
        self.left_out = left_out
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
    are_paid = and_(condition, _row.kind == "call", _row.cost_usd > 0)
    newest_first = select(_row.started_at).where(are_paid).order_by(_row.started_at.desc())
    before = connection.scalar(newest_first.offset(LATEST).limit(1))
    paid = _paid(connection, are_paid if before is None else and_(are_paid, _row.started_at > before))
    repeated = _repeated(paid)
    lots = _lots(connection, paid, repeated)
    rest = None
    if before is not None:
        earlier, until = and_(are_paid, _row.started_at <= before), before + timedelta(microseconds=1)
        rest = left_out(connection, earlier, until, sum(lot.some.calls for lot in lots))
    return TeamWaste(lots, _prefixes(connection, paid, repeated), rest)


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


def _paid(connection: Connection, are_paid: ColumnElement[bool]) -> CTE:
    """The calls that are looked at."""
    is_ok = func.coalesce(_row.status, "") == "ok"
    fields = (*Kind._fields, *_TOKENS, *_RUN, "notebook", "cell", "id", "started_at", "cost_usd")
    return (
        select(
            *(func.coalesce(_row[name], 0).label(name) if name in _TOKENS else _row[name] for name in fields),
            _NAME.label("name"),
            _WHERE.label("place"),
            CELL.label("where_it_ran"),
            microseconds(connection).label("at"),
            is_ok.label("is_ok"),
            (func.coalesce(_row.call_type, "") == "embeddings").label("embeds"),
            case((is_ok, func.nullif(_row.request_hash, ""))).label("request"),
            case((is_ok, func.nullif(_row.prefix_hash, ""))).label("prefix"),
            case((func.coalesce(_row.complete, True), 0), else_=1).label("is_part"),
        )
        .where(are_paid)
        .cte("paid")
        .prefix_with("NOT MATERIALIZED", dialect="postgresql")  # it is read again and again, a few columns at a time
    )


def _repeated(paid: CTE) -> CTE:
    """Of the calls those whose request had been answered before; whether by an earlier run of the same cell."""
    of = paid.c
    twice = select(of.request).where(of.request.is_not(None)).group_by(of.request).having(func.count() > 1).cte("twice")
    order = (of.is_part, of.started_at, of.id)
    seen = ("is_part", "started_at", "id", "notebook", "cell", *_RUN)
    firsts = [
        func.first_value(of[name]).over(partition_by=of.request, order_by=order).label(f"first_{name}") for name in seen
    ]
    asked = (
        select(*(of[name] for name in seen), of.embeds, *firsts)
        .join_from(paid, twice, of.request == twice.c.request)
        .cte("asked")
    )
    of = asked.c
    later = or_(of.started_at > of.first_started_at, and_(of.started_at == of.first_started_at, of.id > of.first_id))
    same_cell = and_(of.cell.is_not(None), _same(of, "cell"), _same(of, "notebook"))
    rerun = and_(~of.embeds, same_cell, ~and_(*(_same(of, name) for name in _RUN)))
    return select(of.id, _flag(rerun, "rerun")).where(of.first_is_part == 0, later).cte("repeated")


def _is_in(of: Any, calls: CTE, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:  # noqa: ANN401 - columns
    """Whether a call is among some; with an outer join SQLite would look for each call in all of these."""
    found: ColumnElement[bool] = of.id.in_(select(calls.c.id).where(*conditions))
    return found


def _lots(connection: Connection, paid: CTE, repeated: CTE) -> list[_Lot]:
    of = paid.c
    again, rerun = _is_in(of, repeated), _is_in(of, repeated, repeated.c.rerun == 1)
    waited = or_(func.coalesce(of.stream, False), func.coalesce(of.service_tier, "") == "batch")
    is_cut = func.coalesce(of.finish_reason, "").in_(CUT_OFF)
    short = and_(of.output_tokens <= SHORT_OUTPUT, of.input_tokens <= SHORT_INPUT, of.reasoning_output_tokens == 0)
    told = select(
        *(of[name] for name in (*Kind._fields, "place", "cost_usd", "started_at", *_ADDED)),
        _flag(again, "repeated"),
        _flag(rerun, "rerun"),
        case((rerun, of.where_it_ran)).label("ran_in"),
        _flag(and_(short, ~is_cut, ~of.embeds), "short"),
        _flag(and_(of.is_ok, ~again, ~waited), "alone"),
        (of.at // HOUR_IN_MICROSECONDS).label("hour"),
    ).cte("told")
    names = (*Kind._fields, "repeated", "rerun", "short", "ran_in")
    keys = [told.c[name] for name in ("hour", "place", "alone", *names)]  # in the order in which they are told apart
    sums = [func.sum(told.c[name]).label(name) for name in ("cost_usd", *_ADDED)]
    last = func.max(told.c.started_at).label("started_at")
    hourly = select(*keys, func.count().label("calls"), *sums, last).group_by(*keys).cte("hourly")
    of = hourly.c
    many = func.sum(of.calls).over(partition_by=[of.place, of.hour, of.alone])
    marked = select(hourly, _flag(and_(of.alone == 1, many >= BULK), "bulk")).cte("marked")
    of = marked.c
    keys = [*(of[name] for name in names), of.bulk]
    added = [func.sum(of[name]) for name in ("calls", "cost_usd", *_ADDED)]
    found = []
    for row in connection.execute(select(*keys, *added, func.max(of.started_at)).group_by(*keys)):
        kind = Kind(*row[: len(Kind._fields)])
        repeats, rerun, brief, ran_in, bulk, calls, cost, sent, cached, written, at = row[len(Kind._fields) :]
        some = Some(int(calls), cost, int(sent), int(cached), int(written), kind, at)
        found.append(_Lot(kind, bool(repeats), bool(rerun), bool(brief), bool(bulk), ran_in, some))
    return found


def _prefixes(connection: Connection, paid: CTE, repeated: CTE) -> dict[str, list[Prefix]]:
    of = paid.c
    begun = and_(of.prefix.is_not(None), ~of.embeds)
    cached = func.min(of.cache_read_input_tokens).label("cached")
    kept = select(of.name, of.prefix, cached).where(begun, of.cache_read_input_tokens > 0).group_by(of.name, of.prefix)
    kept_blocks = kept.cte("kept")
    gap = of.at - func.lag(of.at).over(partition_by=[of.name, of.prefix], order_by=[of.started_at, of.id])
    soon = _flag(gap.between(0, int(CACHE_LIFE_S * SECOND_IN_MICROSECONDS)), "soon")
    plain = and_(begun, of.cache_read_input_tokens == 0, of.input_tokens >= LEAST_PREFIX, ~_is_in(of, repeated))
    needed = ("name", "prefix", "started_at", "id", "input_tokens", *_OF_A_PRICE)
    rows = select(*(of[name] for name in needed), soon).where(plain).cte("with_block")
    of = rows.c
    before = func.lag(of.soon).over(partition_by=[of.name, of.prefix], order_by=[of.started_at, of.id])
    marked = select(rows, _flag(and_(of.soon == 1, before == 0), "begins")).cte("marked")
    of = marked.c
    again, last = func.sum(of.soon), func.max(case((of.soon == 1, of.started_at)))
    block = (of.name, of.prefix, again.label("again"), func.sum(of.begins).label("first"), last.label("last"))
    least = func.min(of.input_tokens).label("least")
    blocks = select(*block, least).group_by(of.name, of.prefix).having(again >= LEAST_CALLS).cte("blocks")
    of, example = blocks.c, rows.c
    is_example = and_(of.name == example.name, of.prefix == example.prefix, of.last == example.started_at)
    query = (
        select(of.name, of.prefix, of.again, of.first, of.least, kept_blocks.c.cached, of.last)
        .add_columns(*(example[name] for name in _OF_A_PRICE))
        .join_from(blocks, rows, is_example)
        .outerjoin(kept_blocks, and_(of.name == kept_blocks.c.name, of.prefix == kept_blocks.c.prefix))
        .order_by(example.id)
    )
    nothing = Kind("call", "ok", *[None] * (len(Kind._fields) - 2))
    found: dict[str, dict[str, Prefix]] = {}
    for name, prefix, count, first, shortest, least_cached, at, *of_a_price in connection.execute(query):
        kind = nothing._replace(**dict(zip(_OF_A_PRICE, of_a_price, strict=True)))
        found.setdefault(name, {})[prefix] = Prefix(int(count), int(first), shortest, least_cached, kind, at)
    return {name: list(blocks_of.values()) for name, blocks_of in found.items()}


def _same(of: Any, name: str) -> ColumnElement[bool]:  # noqa: ANN401 - the columns of a query
    same: ColumnElement[bool] = of[name].is_not_distinct_from(of[f"first_{name}"])
    return same


def _flag(condition: ColumnElement[bool], name: str) -> Any:  # noqa: ANN401 - a label of 0 or 1
    return case((condition, 1), else_=0).label(name)
