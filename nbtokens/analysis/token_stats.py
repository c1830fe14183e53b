"""Tokens and speeds: sums, averages and percentiles, of everything and by group."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from nbtokens.analysis.selection import OF_DAYS, in_totals
from nbtokens.history.sums import of_rollup
from nbtokens.history.totals import MEASURES, Measures, Sums

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbtokens.history.totals import Totals
    from nbtokens.record import Record

Summaries: TypeAlias = dict[str, dict[str, Any]]
"""measure -> count, avg, min, max, p50, p95, p99, sum."""


@dataclass(slots=True)
class Group:
    """Some calls.

    Attributes:
        every: sums over all of them, the failed ones too, over answers from caches and runs of operations.
        ok: sums over the calls that succeeded; averages are over these.
        measures: distributions over the calls that succeeded; None where totals keep none for such a group.
    """

    every: Sums = field(default_factory=Sums)
    ok: Sums = field(default_factory=Sums)
    measures: Measures | None = None

    def add(self, record: Record) -> None:
        """Take one more record in, by the rules of `Totals`."""
        if record.kind == "rollup":
            sums, measures = of_rollup(record)
            self.merge(sums, record.status)
            if any(getattr(measures, name).count for name in MEASURES):
                self.measure(measures)
            return
        self.every.add(record)
        if record.kind == "call" and record.status == "ok":
            self.ok.add(record)
            if self.measures is None:
                self.measures = Measures()
            self.measures.add(record)

    def merge(self, sums: Sums, status: str | None) -> None:
        """Take a row of totals in."""
        self.every.merge(sums)
        if status == "ok":
            self.ok.merge(sums)

    def measure(self, measures: Measures) -> None:
        """Take distributions of totals in."""
        if self.measures is None:
            self.measures = Measures()
        self.measures.merge(measures)

    @property
    def summaries(self) -> Summaries:
        """For each measure count, avg, min, max, p50, p95, p99, sum; without values where none are kept."""
        measures = self.measures or Measures()
        return {name: getattr(measures, name).summary() for name in MEASURES}

    @property
    def tokens_per_second(self) -> float | None:
        """Output tokens per second, on average over the calls, each of which counts the same."""
        speeds = self.measures.tokens_per_second if self.measures is not None else None
        return speeds.sum / speeds.count if speeds is not None and speeds.count else None

    def average(self, tokens: int) -> float | None:
        """So many tokens for each call that succeeded."""
        return tokens / self.ok.calls if self.ok.calls else None


Groups: TypeAlias = dict[str | None, Group]


@dataclass(frozen=True, slots=True)
class TokenStats:
    """The statistics of some calls.

    Attributes:
        whole: all of them.
        by: dimension -> its groups, those with the most output first; days, weeks and months in their order.
    """

    whole: Group
    by: dict[str, Groups]


def stats_of_totals(totals: Totals, by: Iterable[str]) -> TokenStats:
    """The statistics of a history from its totals, by dimensions that totals are kept by."""
    whole = Group()
    for key, sums in totals.rows.items():
        whole.merge(sums, key.status)
    for measures in totals.measures.values():
        whole.measure(measures)
    return TokenStats(whole, {one: sorted_groups(one, _groups_of_totals(totals, one)) for one in by})


def _groups_of_totals(totals: Totals, by: str) -> Groups:
    assert in_totals(by), by
    groups: Groups = {}
    days = by in OF_DAYS
    for key, sums in totals.rows.items():
        name = OF_DAYS[by](key.day) if days else key.name_in(by)
        _group(groups, name).merge(sums, key.status)
    if by in ("model", "operation"):
        for pair, measures in totals.measures.items():
            _group(groups, pair[by == "operation"]).measure(measures)
    return groups


def _group(groups: Groups, name: str | None) -> Group:
    group = groups.get(name)
    if group is None:
        group = groups[name] = Group()
    return group


def sorted_groups(by: str, groups: Groups) -> Groups:
    """The groups of which there is something to tell."""
    kept = {name: one for name, one in groups.items() if one.every.calls or one.every.cache_hits or one.every.runs}
    if by in OF_DAYS:
        return dict(sorted(kept.items(), key=lambda one: one[0] or ""))
    return dict(sorted(kept.items(), key=lambda one: (-one[1].ok.output_tokens, -one[1].ok.calls, str(one[0]))))
