"""Sums over records: by day, provider, model, operation, call type, notebook, user and status; mergeable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

import msgspec

from nbtokens.decimals import exactly
from nbtokens.history.sums import (
    MEASURES,
    Dimension,
    Key,
    Measures,
    Sums,
    copied,
    is_unpriced,
    key_of,
    of_rollup,
)
from nbtokens.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MEASURES", "RECENT", "Dimension", "Key", "Measures", "Sums", "Totals", "TotalsData", "is_unpriced"]

RECENT: Final = 10
_COUNTED: Final = ("call", "cache_hit", "run", "rollup")
_KEPT_GROUPS: Final[tuple[Dimension, ...]] = ("day", "model", "operation", "notebook")

Pair: TypeAlias = tuple[str | None, str | None]
Groups: TypeAlias = dict[str | None, Sums]


class Totals:
    """Sums and distributions over any number of records, and the latest few of these.

    What was asked for once (all in one, by a dimension) is kept current from then on, so that asking again costs
    the same whatever the history's length. What comes from a checkpoint is not decoded before it is asked for.
    """

    def __init__(self) -> None:
        self._rows: dict[Key, Sums] = {}
        self._measures: dict[Pair, Measures] = {}
        self._kept_rows: msgspec.Raw | None = None
        self._kept_measures: msgspec.Raw | None = None
        self._every: Sums | None = None
        self._spread: Measures | None = None
        self._groups: dict[Dimension, Groups] = {}
        self.recent: list[Record] = []

    @property
    @exactly
    def rows(self) -> dict[Key, Sums]:
        """The sums of each key."""
        if self._kept_rows is not None:
            rows = dict(_rows_decoder.decode(self._kept_rows))
            for key, sums in self._rows.items():
                _merge_into(rows, key, sums)
            self._rows, self._kept_rows = rows, None
        return self._rows

    @property
    @exactly
    def measures(self) -> dict[Pair, Measures]:
        """The distributions of each model and operation."""
        if self._kept_measures is not None:
            kept = dict(_measures_decoder.decode(self._kept_measures))
            for pair, measures in self._measures.items():
                kept.setdefault(pair, Measures()).merge(measures)
            self._measures, self._kept_measures = kept, None
        return self._measures

    def add(self, record: Record) -> None:
        """Take one more record in. What is no call, cache hit, run or sum of these changes nothing here."""
        if record.kind not in _COUNTED:
            return
        key = key_of(record)
        if record.kind == "rollup":
            sums, measures = of_rollup(record)
            self.take(key, sums, measures if any(getattr(measures, name).count for name in MEASURES) else None)
            return
        self._each(key, lambda sums: sums.add(record))
        if record.kind != "call":
            return
        if record.status == "ok":
            self._measures.setdefault((key.model, key.purpose), Measures()).add(record)
            if self._spread is not None:
                self._spread.add(record)
        self.recent.append(record)
        del self.recent[:-RECENT]

    def take(self, key: Key, sums: Sums, measures: Measures | None = None) -> None:
        """Take in what was added up of the calls of one key; `sums` may be kept."""
        if key in self._rows or self._every is not None or self._groups:
            self._each(key, lambda one: one.merge(sums))
        else:
            self._rows[key] = sums
        if measures is not None:
            self.take_measures((key.model, key.purpose), measures)

    def take_measures(self, pair: Pair, measures: Measures) -> None:
        """Take in how the calls of a model and operation are spread."""
        self._measures.setdefault(pair, Measures()).merge(measures)
        if self._spread is not None:
            self._spread.merge(measures)

    def amend(self, before: Record, after: Record) -> None:
        """A record that was counted as `before` reads `after` now. Only its price may have changed."""
        if before.kind != "call":
            return
        key = key_of(before)
        self._each(key, lambda sums: sums.amend(before, after))
        if after.status == "ok" and after.cost_usd != before.cost_usd:
            spread = [self._measures.setdefault((key.model, key.purpose), Measures())]
            for measures in spread if self._spread is None else (*spread, self._spread):
                if before.cost_usd is not None:
                    measures.cost_usd.remove(before.cost_usd)
                if after.cost_usd is not None:
                    measures.cost_usd.add(after.cost_usd)
        self.recent = [after if one.id == after.id else one for one in self.recent]

    @exactly
    def __add__(self, other: Totals) -> Totals:
        """The totals of both sets of records."""
        both = self.copied()
        for key, sums in other.rows.items():
            both.take(key, copied(sums))
        for pair, measures in other.measures.items():
            both.take_measures(pair, measures)
        both.recent = sorted([*self.recent, *other.recent], key=lambda one: one.started_at)[-RECENT:]
        return both

    def copied(self) -> Totals:
        """The same, to be changed on its own."""
        copy = Totals()
        copy._rows = {key: copied(sums) for key, sums in self._rows.items()}
        copy._measures = {pair: measures.copied() for pair, measures in self._measures.items()}
        copy._kept_rows, copy._kept_measures = self._kept_rows, self._kept_measures
        copy._every = None if self._every is None else copied(self._every)
        copy._spread = None if self._spread is None else self._spread.copied()
        copy._groups = {
            dimension: {name: copied(sums) for name, sums in groups.items()}
            for dimension, groups in self._groups.items()
        }
        copy.recent = list(self.recent)
        return copy

    @exactly
    def sums(self) -> Sums:
        """Everything in one."""
        if self._every is None:
            every = Sums()
            for sums in self.rows.values():
                every.merge(sums)
            self._every = every
        return copied(self._every)

    @exactly
    def by(self, dimension: Dimension) -> dict[str | None, Sums]:
        """Sums for each value of a dimension, the dearest first, then those with the most tokens."""
        groups = self._by(dimension)
        ordered = sorted(groups.items(), key=lambda one: (-one[1].cost_usd, -one[1].total_tokens, str(one[0])))
        return {name: copied(sums) for name, sums in ordered}

    def days(self) -> int:
        """On how many days there were calls."""
        return sum(1 for sums in self._by("day").values() if sums.calls)

    @exactly
    def stats(self, model: str | None = None, operation: str | None = None) -> dict[str, dict[str, Any]]:
        """For each measure of the calls that succeeded: count, avg, min, max, p50, p95, p99, sum.

        Args:
            model: only calls of this model.
            operation: only calls of this operation; without a label, those of this kind.
        """
        if model is None and operation is None:
            every = self._all_measures()
        else:
            every = Measures()
            for (of_model, of_operation), measures in self.measures.items():
                if model in (None, of_model) and operation in (None, of_operation):
                    every.merge(measures)
        return {name: getattr(every, name).summary() for name in MEASURES}

    @exactly
    def to_plain(self) -> TotalsData:
        """The same as plain data, for a checkpoint."""
        groups = {dimension: list(self._by(dimension).items()) for dimension in _KEPT_GROUPS}
        rows, measures = _encoder.encode(list(self.rows.items())), _encoder.encode(list(self.measures.items()))
        return TotalsData(
            self.sums(), self._all_measures(), groups, self.recent, msgspec.Raw(rows), msgspec.Raw(measures)
        )

    @classmethod
    def from_plain(cls, data: TotalsData) -> Self:
        """Read a checkpoint back."""
        totals = cls()
        totals._every, totals._spread = data.every, data.spread
        totals._groups = {dimension: dict(groups) for dimension, groups in data.groups.items()}
        totals._kept_rows, totals._kept_measures = data.rows.copy(), data.measures.copy()
        totals.recent = data.recent
        return totals

    def _each(self, key: Key, change: Callable[[Sums], None]) -> None:
        """Change every sum that a key's calls are part of."""
        sums = self._rows.get(key)
        if sums is None:
            sums = self._rows[key] = Sums()
        change(sums)
        if self._every is not None:
            change(self._every)
        for dimension, groups in self._groups.items():
            name = key.name_in(dimension)
            sums = groups.get(name)
            if sums is None:
                sums = groups[name] = Sums()
            change(sums)

    def _by(self, dimension: Dimension) -> Groups:
        groups = self._groups.get(dimension)
        if groups is None:
            groups = {}
            for key, sums in self.rows.items():
                _merge_into(groups, key.name_in(dimension), sums)
            self._groups[dimension] = groups
        return groups

    def _all_measures(self) -> Measures:
        if self._spread is None:
            every = Measures()
            for measures in self.measures.values():
                every.merge(measures)
            self._spread = every
        return self._spread


def _merge_into(groups: dict[Any, Sums], name: Any, sums: Sums) -> None:  # noqa: ANN401 - a key, or a part of one
    known = groups.get(name)
    if known is None:
        groups[name] = copied(sums)
    else:
        known.merge(sums)


class TotalsData(msgspec.Struct):
    """`Totals` as a checkpoint keeps them; `rows` and `measures` are JSON inside of it, decoded when asked for."""

    every: Sums
    spread: Measures
    groups: dict[Dimension, list[tuple[str | None, Sums]]]
    recent: list[Record]
    rows: msgspec.Raw
    measures: msgspec.Raw


_encoder: Final = msgspec.json.Encoder(decimal_format="number")
_rows_decoder: Final = msgspec.json.Decoder(list[tuple[Key, Sums]])
_measures_decoder: Final = msgspec.json.Decoder(list[tuple[Pair, Measures]])
