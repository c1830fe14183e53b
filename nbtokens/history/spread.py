"""How a great many values are spread, by groups: `Distribution`s that are filled by the ten thousand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from nbtokens.history.distribution import BUCKET_OFFSET, GREATEST, Distribution, bucket_keys

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]

_WIDTH: Final = 2 * BUCKET_OFFSET
_SHORT: Final = 1 << 16
_FEW: Final = 1 << 20


class Spread:
    """The distributions of one measure, one for each group.

    Only what was found of each lot is kept, and put together at the end: there are a few hundred buckets, however
    many values there are.
    """

    def __init__(self) -> None:
        self._groups: list[Whole] = []
        self._figures: list[tuple[Floats, ...]] = []
        self._buckets: list[tuple[Whole, Whole]] = []

    def add(self, values: Floats, groups: Whole) -> None:
        """Take values in, each with the number of its group; those of a group lie together."""
        if not len(values):
            return
        starts = _begins(groups)
        values = np.minimum(values, GREATEST)
        positive = values > 0
        self._groups.append(groups[starts])
        self._figures.append(
            (
                np.diff(starts, append=len(values)),
                np.add.reduceat(values, starts),
                np.minimum.reduceat(values, starts),
                np.maximum.reduceat(values, starts),
                np.add.reduceat((~positive).astype(np.int64), starts),
            )
        )
        if not positive.all():
            values, groups = values[positive], groups[positive]
        if len(values):
            self._buckets.append(_counted(groups, bucket_keys(values) + BUCKET_OFFSET))

    def distributions(self) -> dict[int, Distribution]:
        """What was taken in, by the number of the group."""
        if not self._groups:
            return {}
        numbers, order, starts = grouped(np.concatenate(self._groups))
        parts = [np.concatenate(part)[order] for part in zip(*self._figures, strict=True)]
        how = (np.add, np.add, np.minimum, np.maximum, np.add)
        columns = [each.reduceat(part, starts).tolist() for each, part in zip(how, parts, strict=True)]
        figures: list[tuple[int, float, float, float, int]] = list(zip(*columns, strict=True))
        buckets: dict[int, dict[int, int]] = {number: {} for number in numbers.tolist()}
        if self._buckets:
            keys, order, starts = grouped(np.concatenate([keys for keys, _ in self._buckets]))
            counts = np.add.reduceat(np.concatenate([counts for _, counts in self._buckets])[order], starts)
            for key, count in zip(keys.tolist(), counts.tolist(), strict=True):
                group, bucket = divmod(key, _WIDTH)
                buckets[group][bucket - BUCKET_OFFSET] = count
        return {number: Distribution(*figures[place], buckets[number]) for place, number in enumerate(numbers.tolist())}


def grouped(keys: Whole) -> tuple[Whole, Whole, Whole]:
    """The keys that occur, the order in which equal ones lie together, and where each begins in it."""
    low = keys.min()
    small = int(keys.max()) - int(low) < _SHORT  # sorting short integers takes a tenth of the time
    order = np.argsort((keys - low).astype(np.uint16) if small else keys, kind="stable")
    ordered = keys[order]
    starts = _begins(ordered)
    return ordered[starts], order, starts


def _begins(ordered: Whole) -> Whole:
    """Where each run of equal keys begins."""
    return np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])


def _counted(groups: Whole, buckets: Whole) -> tuple[Whole, Whole]:
    """Which buckets of which groups are filled, each pair as one number, and with how many values."""
    low = buckets.min()
    width = buckets.max() - low + 1
    keys = groups * width + buckets - low
    if keys.max() < _FEW:
        counts = np.bincount(keys)
        found = np.flatnonzero(counts)
        counts = counts[found]
    else:
        found, counts = np.unique(keys, return_counts=True)
    return found // width * _WIDTH + found % width + low, counts
