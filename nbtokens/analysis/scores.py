"""Scores of calls: averages, by operation, user, model or anything else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbtokens.analysis.flag import Flag
from nbtokens.analysis.selection import group_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nbtokens.history.columns import Columns


@dataclass(slots=True)
class Average:
    """The average of some numbers."""

    count: int = 0
    sum: float = 0.0
    least: float = float("inf")
    most: float = float("-inf")

    def add(self, value: float) -> None:
        """Take one more in."""
        self.count += 1
        self.sum += value
        self.least = min(self.least, value)
        self.most = max(self.most, value)

    def merge(self, other: Average) -> None:
        """Take the numbers of another one in."""
        self.count += other.count
        self.sum += other.sum
        self.least = min(self.least, other.least)
        self.most = max(self.most, other.most)

    @property
    def value(self) -> float:
        """The average; there must be a number."""
        return self.sum / self.count


def scores_of(blocks: Iterable[Columns]) -> dict[str, dict[str, float]]:
    """A call's id -> its scores; what was scored twice under one name has the later score."""
    scores: dict[str, dict[str, float]] = {}
    for block in blocks:
        for kind, own_id, ref, given in block.tuples("kind", "id", "ref", "scores"):
            about = ref if kind == "score" else own_id
            if given and about is not None:
                scores.setdefault(about, {}).update(given)
    return scores


def averages(
    blocks: Iterable[Columns], scores: Mapping[str, Mapping[str, float]], by: Iterable[str]
) -> dict[str, dict[str | None, dict[str, Average]]]:
    """For each dimension and group, the averages by name; under "" those of all calls.

    Args:
        blocks: which calls count.
        scores: of any calls, by their ids.
        by: dimensions.
    """
    keys = {"": lambda _: None, **{one: group_of(one) for one in by}}
    found: dict[str, dict[str | None, dict[str, Average]]] = {one: {} for one in keys}
    for block in blocks:
        rows = [row for row, one in enumerate(block.values("id")) if one in scores]
        for call in map(block.record, rows):
            for dimension, key_of in keys.items() if call.kind in ("call", "cache_hit") else ():
                group = found[dimension].setdefault(key_of(call), {})
                for name, value in scores[call.id].items():
                    group.setdefault(name, Average()).add(value)
    return found


def low_scores(by_operation: Mapping[str | None, Mapping[str, Average]], least: Mapping[str, float]) -> list[Flag]:
    """The operations whose average is below the least that is set for a name."""
    flags = []
    for operation, group in by_operation.items():
        for name, average in group.items():
            if name in least and average.value < least[name]:
                what = f"{name} is {average.value:.3f} on average of {average.count:,} calls, below {least[name]:g}."
                evidence = {"score": name, "avg": average.value, "min": average.least, "calls": average.count}
                where = operation or "(no operation)"
                flags.append(Flag("scores", where, what, "Look at the calls with the lowest ones.", evidence))
    return flags
