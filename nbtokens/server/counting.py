"""Sums of a ledger as the answers' shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nbtokens.history.totals import Sums
from nbtokens.server.shapes import (
    CallRow,
    Day,
    DaysOfModel,
    Named,
    OperationCost,
    OperationOfModel,
    Totals,
    row_fields,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from decimal import Decimal

    from nbtokens.history.totals import Key
    from nbtokens.history.totals import Totals as LedgerTotals
    from nbtokens.record import Record
    from nbtokens.server.data import Period

UNKNOWN: Final = "unknown"
"""The name of an operation or a model that has none."""


def in_period(totals: LedgerTotals, period: Period | None, user: str | None) -> list[tuple[Key, Sums]]:
    """The keys of a period (None: all time), and what was added up for each; `user` None: everybody's."""
    first, last = (period.first.isoformat(), period.last.isoformat()) if period is not None else ("", "~")
    return [
        (key, sums)
        for key, sums in totals.rows.items()
        if first <= key.day <= last and user in (None, key.user) and sums.calls
    ]


def grouped(rows: Iterable[tuple[Key, Sums]], name_of: Callable[[Key], Any]) -> dict[Any, Sums]:
    """Sums by anything that a key tells; the dearest first, then those with the most tokens."""
    groups: dict[Any, Sums] = {}
    for key, sums in rows:
        groups.setdefault(name_of(key), Sums()).merge(sums)
    return dict(sorted(groups.items(), key=lambda one: (-one[1].cost_usd, -one[1].total_tokens, str(one[0]))))


def operation_of(of: Key | Record) -> str:
    """The operation as answers show it: the user's label, else the kind of call."""
    return of.purpose or UNKNOWN


def cost_of(sums: Sums) -> Decimal | None:
    """What some calls cost; None where the price of none of them is known."""
    return None if sums.unpriced_calls and not sums.priced_calls else sums.cost_usd


def _figures(sums: Sums) -> dict[str, Any]:
    return {
        "failed_calls": sums.failed_calls,
        "unpriced_calls": sums.unpriced_calls,
        "total_input_tokens": sums.input_tokens,
        "total_output_tokens": sums.output_tokens,
        "total_tokens": sums.total_tokens,
        "total_cost_usd": cost_of(sums),
    }


def totals_of(rows: Iterable[tuple[Key, Sums]]) -> Totals:
    """All in one."""
    every = Sums()
    for _, sums in rows:
        every.merge(sums)
    return Totals(total_operations=every.calls, **_figures(every))


def days_of(rows: Iterable[tuple[Key, Sums]]) -> list[Day]:
    """The days in their order."""
    days = grouped(rows, lambda key: key.day)
    return [Day(usage_date=day, operation_count=sums.calls, **_figures(sums)) for day, sums in sorted(days.items())]


def days_of_models(rows: Iterable[tuple[Key, Sums]], models: Iterable[str | None]) -> list[DaysOfModel]:
    """Some models, each on all days on which there were calls of any."""
    sums = grouped(rows, lambda key: (key.day, key.model))
    days = sorted({day for day, _ in sums})
    found = []
    for model in models:
        of_days = [sums.get((day, model)) or Sums() for day in days]
        found.append(
            DaysOfModel(
                name=model,
                operation_count=[one.calls for one in of_days],
                total_tokens=[one.total_tokens for one in of_days],
                total_cost_usd=[cost_of(one) for one in of_days],
            )
        )
    return found


def operations_of_models(rows: Iterable[tuple[Key, Sums]]) -> list[OperationOfModel]:
    """Each operation with each model."""
    groups = grouped(rows, lambda key: (operation_of(key), key.model or UNKNOWN))
    return [
        OperationOfModel(operation_type=operation, model_name=model, operation_count=sums.calls, **_figures(sums))
        for (operation, model), sums in groups.items()
    ]


def named(groups: Mapping[str | None, Sums], most: int) -> list[Named]:
    """The first `most` of some groups."""
    return [
        Named(name=name, operation_count=sums.calls, **_figures(sums)) for name, sums in list(groups.items())[:most]
    ]


def operation_cost(sums: Sums) -> OperationCost:
    """What an operation costs, in all, a call and a token."""
    priced, tokens, cost = sums.priced_calls, sums.priced_tokens, float(sums.cost_usd)
    return OperationCost(
        total_cost=cost_of(sums),
        total_tokens=sums.total_tokens,
        operation_count=sums.calls,
        unpriced_calls=sums.unpriced_calls,
        cost_per_operation=cost / priced if priced else None,
        cost_per_token=cost / tokens if tokens else None,
    )


def run_fields(run_id: str, sums: Sums) -> dict[str, Any]:
    """The fields of a `RunMetrics`. Where no call was timed, there is no average of their times."""
    calls = sums.calls
    return {
        "run_id": run_id,
        "total_input_tokens": sums.input_tokens,
        "total_output_tokens": sums.output_tokens,
        "total_thinking_tokens": sums.reasoning_output_tokens,
        "total_tokens": sums.total_tokens,
        "total_calls": calls,
        "successful_calls": calls - sums.failed_calls,
        "failed_calls": sums.failed_calls,
        "unpriced_calls": sums.unpriced_calls,
        "avg_tokens_per_call": sums.total_tokens / calls if calls else None,
        "total_duration_seconds": sums.duration_s,
        "avg_duration_seconds": sums.duration_s / calls if sums.duration_s else None,
        "total_cost_usd": cost_of(sums),
    }


def call_row(record: Record) -> CallRow:
    """A record as answers show it."""
    return CallRow(**{name: getattr(record, name) for name in row_fields()})
