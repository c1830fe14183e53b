"""Sums and distributions of a great many rows, by anything that tells them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from nbtokens.analysis.gathered import Codes, Gathered, Money, groups
from nbtokens.analysis.selection import group_of, groups_of
from nbtokens.analysis.token_stats import Group, TokenStats, sorted_groups
from nbtokens.history.bulk import Bulk
from nbtokens.history.distribution import GREATEST, Distribution, bucket_keys
from nbtokens.history.sums import MEASURES, Measures, Sums

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbtokens.analysis.gathered import Flags, Floats, Ints
    from nbtokens.history.columns import Columns
    from nbtokens.history.totals import Totals
    from nbtokens.record import Record

_COUNTS: Final = ("input_tokens", "output_tokens", "total_tokens")
_IS_CALL: Final = "call".__eq__

FIELDS: Final = frozenset({
    "kind", "status", "usage_source", "complete", "provider", "model", "request_model", "operation", "call_type",
    "notebook", "user", "input_tokens", "output_tokens", "total_tokens", "cache_read_input_tokens",
    "cache_creation_input_tokens", "reasoning_output_tokens", "duration_s", "cost_usd", "saved_cost_usd", "calls",
    "sums",
})  # fmt: skip
"""What is added up, and what sums are kept by."""


class Adding:
    """Takes rows into totals.

    Args:
        totals: where they go.
    """

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._bulk = Bulk(totals)

    def add(self, columns: Columns) -> None:
        """Take some more rows in. They count once `end` was called."""
        calls = columns.where("kind", _IS_CALL)
        if len(calls) and not self._bulk.add(calls):
            self._each(calls)
        if len(calls) < len(columns):
            self._each(columns.where("kind", lambda kind: kind != "call"))

    def end(self) -> None:
        """There are no more rows."""
        self._bulk.fold()

    def _each(self, columns: Columns) -> None:
        for record in columns.records():
            self._totals.add(record)


def stats_of_columns(blocks: Iterable[Columns], by: Iterable[str]) -> TokenStats:
    """The statistics of some rows, by any dimensions."""
    calls = _Calls(by)
    others: list[Record] = []
    for columns in blocks:
        of_calls = columns.where("kind", _IS_CALL)
        if len(of_calls):
            calls.add(of_calls)
        if len(of_calls) < len(columns):
            others += columns.where("kind", lambda kind: kind != "call").records()
        del columns, of_calls  # before more are read, into warm memory
    stats = calls.stats()
    keys = [(named, group_of(one)) for one, named in stats.by.items()]
    for record in others:
        stats.whole.add(record)
        for named, key_of in keys:
            named.setdefault(key_of(record), Group()).add(record)
    return TokenStats(stats.whole, {one: sorted_groups(one, named) for one, named in stats.by.items()})


class _Calls:
    """Adds calls up by some dimensions."""

    def __init__(self, by: Iterable[str]) -> None:
        self._names = {one: Codes() for one in by}
        self._states = Codes()
        self._rows = Gathered()
        self._money = Money()

    def add(self, calls: Columns) -> None:
        count = len(calls)
        self._rows.add(
            state=self._states.of(calls.tuples("status", "usage_source"), count),
            **{name: calls.floats(name) for name in (*_COUNTS, "duration_s", "cost_usd")},
            **{f"by {one}": codes.of(groups_of(one, calls), count) for one, codes in self._names.items()},
        )
        self._money.add(calls, "cost_usd", np.arange(count))

    def stats(self) -> TokenStats:
        every = np.arange(len(self._rows["state"]))
        summed = _Summed(self._rows, self._money, list(self._states))
        by = {}
        for one, codes in self._names.items():
            names, of_row = list(codes), self._rows[f"by {one}"]
            by[one] = {names[of_row[rows[0]]]: summed.group(rows) for rows in groups(of_row, every)}
        return TokenStats(summed.group(every), by)


class _Summed:
    def __init__(self, rows: Gathered, money: Money, states: list[tuple[Any, ...]]) -> None:
        self._rows = rows
        self._money = money
        status = rows["state"]
        self._ok: Flags = np.array([one[0] == "ok" for one in states], np.bool_)[status]
        self._failed: Flags = np.array([one[0] == "error" for one in states], np.bool_)[status]
        self._priced: Flags = ~np.isnan(rows["cost_usd"])
        output, seconds = rows["output_tokens"], rows["duration_s"]
        timed = self._ok & (output > 0) & (seconds > 0)
        self._speed: Floats = np.full(len(timed), np.nan)
        self._speed[timed] = output[timed] / seconds[timed]

    def group(self, rows: Ints) -> Group:
        ok = rows[self._ok[rows]]
        measures = Measures()
        for name in MEASURES:
            values = (self._speed if name == "tokens_per_second" else self._rows[name])[ok]
            counts = values > 0 if name == "output_tokens" else ~np.isnan(values)
            setattr(measures, name, _distribution(np.minimum(values[counts], GREATEST)))
        return Group(self._sums(rows), self._sums(ok), measures if len(ok) else None)

    def _sums(self, rows: Ints) -> Sums:
        of = {name: self._rows[name][rows] for name in (*_COUNTS, "duration_s")}
        priced, timed = self._priced[rows], ~np.isnan(self._speed[rows])
        used = np.nan_to_num(of["input_tokens"]) + np.nan_to_num(of["output_tokens"]) > 0
        return Sums(
            calls=len(rows),
            failed_calls=int(self._failed[rows].sum()),
            unpriced_calls=int((~priced & (self._ok[rows] | used)).sum()),
            priced_calls=int(priced.sum()),
            priced_tokens=int(np.nansum(of["total_tokens"][priced])),
            input_tokens=int(np.nansum(of["input_tokens"])),
            output_tokens=int(np.nansum(of["output_tokens"])),
            cost_usd=self._money.sum(rows),
            duration_s=float(np.nansum(of["duration_s"])),
            timed_output_tokens=int(of["output_tokens"][timed].sum()),
            timed_s=float(of["duration_s"][timed].sum()),
        )


def _distribution(values: Floats) -> Distribution:
    if not len(values):
        return Distribution()
    positive = values[values > 0]
    keys, counts = np.unique(bucket_keys(positive), return_counts=True)
    return Distribution(
        len(values),
        float(values.sum()),
        float(values.min()),
        float(values.max()),
        len(values) - len(positive),
        dict(zip(keys.tolist(), counts.tolist(), strict=True)),
    )
