"""Which calls were wasted: repeated, failed, cut off, or made in a way that costs more than another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from nbtokens.analysis.gathered import Codes, Gathered, Money, counts, fingerprints, groups, translated
from nbtokens.analysis.validation import CUT_OFF
from nbtokens.history.spread import grouped
from nbtokens.record import purpose_of, utc

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from decimal import Decimal

    from numpy.typing import NDArray

    from nbtokens.analysis.gathered import Flags, Ints
    from nbtokens.history.columns import Columns

LEAST_PREFIX: Final = 1024
"""No provider caches a shorter prefix."""
CACHE_LIFE_S: Final = 300.0
"""How long providers keep a cached prefix at least."""
SHORT_OUTPUT: Final = 100
SHORT_INPUT: Final = 1000
BULK: Final = 100
_MICROSECONDS: Final = 10**6
_HOUR: Final = 3600 * _MICROSECONDS
_MIXER: Final = np.int64(0x1E3779B97F4A7C15)


class Kind(NamedTuple):
    """What many calls have in common."""

    kind: str
    status: str | None
    operation: str | None
    model: str | None
    request_model: str | None
    call_type: str | None
    finish_reason: str | None
    stream: bool | None
    complete: bool | None
    service_tier: str | None
    provider: str | None
    server_address: str | None

    @property
    def name(self) -> str:
        """The model."""
        return self.model or self.request_model or "(no model)"

    @property
    def where(self) -> str:
        """The operation and the model."""
        purpose = purpose_of(self.operation, self.call_type)
        return f"{purpose}, {self.name}" if purpose else self.name


@dataclass(frozen=True, slots=True)
class Some:
    """Calls that belong together.

    Attributes:
        input: tokens of all of them; `cached` are among these.
        example: what one of them was.
        at: when that one began.
    """

    calls: int
    cost: Decimal
    input: int
    cached: int
    output: int
    example: Kind
    at: datetime


@dataclass(frozen=True, slots=True)
class Prefix:
    """Calls of one model with the same leading block, which the provider could have kept.

    Attributes:
        again: how many came soon after another one and read nothing from the provider's cache.
        first: how many began such a row, and would have had to write it.
        least_input: tokens of the shortest of them: the block is no longer than that.
        least_cached: the fewest tokens that the provider said to have read from its cache for this block; None where
            it never did.
    """

    again: int
    first: int
    least_input: int
    least_cached: int | None
    example: Kind
    at: datetime


FIELDS: Final = frozenset({
    *Kind._fields, "notebook", "cell", "session", "execution_count", "request_hash", "prefix_hash", "cost_usd",
    "input_tokens", "cache_read_input_tokens", "output_tokens", "reasoning_output_tokens",
})  # fmt: skip
"""What is looked at."""


class Waste:
    """Looks at the calls of a history, block by block, in their order."""

    def __init__(self) -> None:
        self._kinds, self._cells = Codes(), Codes()
        self._are_calls = np.zeros(0, np.bool_)
        self._rows = Gathered()
        self._money = Money()

    def look(self, columns: Columns) -> None:
        """Take the next rows in. What is no call, or was not paid for, says nothing."""
        count = len(columns)
        kinds = self._kinds.of(columns.tuples(*Kind._fields), count)
        if len(self._kinds) > len(self._are_calls):
            self._are_calls = np.array([kind == "call" for kind, *_ in self._kinds], np.bool_)
        rows = np.flatnonzero(self._are_calls[kinds] & (columns.floats("cost_usd") > 0))
        found: dict[str, NDArray[Any]] = {
            "kind": kinds,
            "cell": self._cells.of(columns.tuples("notebook", "cell"), count),
            "run": np.fromiter(map(hash, columns.tuples("session", "execution_count")), np.int64, count),
            "request": fingerprints(columns.values("request_hash"), count),
            "prefix": fingerprints(columns.values("prefix_hash"), count),
            "at": columns.times().astype("datetime64[us]").astype(np.int64),
            "input": counts(columns, "input_tokens"),
            "cached": counts(columns, "cache_read_input_tokens"),
            "output": counts(columns, "output_tokens"),
            "reasoning": counts(columns, "reasoning_output_tokens"),
        }
        self._rows.add(**(found if len(rows) == count else {name: column[rows] for name, column in found.items()}))
        self._money.add(columns, "cost_usd", rows)

    def found(self) -> Found:
        """What was seen."""
        return Found([Kind(*name) for name in self._kinds], list(self._cells), self._rows, self._money)


class Found:
    """What was wasted, of all that was looked at."""

    left_out: Final = None

    def __init__(
        self, kinds: list[Kind], cells: list[tuple[str | None, str | None]], rows: Gathered, money: Money
    ) -> None:
        self._kinds = kinds
        self._cells = cells
        self._rows = rows
        self._money = money
        self._kind = rows["kind"]
        self._ok = self._where(lambda kind: kind.status == "ok")
        self._before = self._answered_before()
        self._rest = np.flatnonzero(self._ok & (self._before < 0))
        self._embeds = self._where(lambda kind: kind.call_type == "embeddings")
        self._begun = (rows["prefix"] != 0) & ~self._embeds
        self._cut = self._where(lambda kind: kind.finish_reason in CUT_OFF)

    def failed(self) -> dict[str, Some]:
        """By model, what failed and was paid for all the same."""
        return self._grouped(np.flatnonzero(~self._ok), lambda kind: kind.name)

    def cut_off(self) -> dict[str, Some]:
        """By operation and model, answers that ended at their ceiling."""
        return self._grouped(self._rest[self._cut[self._rest]], lambda kind: kind.where)

    def short(self) -> dict[str, Some]:
        """By model, short answers to short questions."""
        rest, rows = self._rest, self._rows
        short = (rows["output"][rest] <= SHORT_OUTPUT) & (rows["input"][rest] <= SHORT_INPUT)
        short &= (rows["reasoning"][rest] == 0) & ~self._cut[rest] & ~self._embeds[rest]
        return self._grouped(rest[short], lambda kind: kind.name)

    def repeated(self) -> dict[tuple[str, str], Some]:
        """By `embeddings`, `rerun` or `identical` and where that was, requests that had been answered before."""
        repeated = np.flatnonzero(self._before >= 0)
        embeds = self._embeds[repeated]
        cell, run, first = self._rows["cell"], self._rows["run"], self._before[repeated]
        in_cells = np.array([name is not None for _, name in self._cells], np.bool_)
        rerun = ~embeds & in_cells[cell[repeated]] & (cell[first] == cell[repeated]) & (run[first] != run[repeated])
        found = {
            (kind, where): some
            for kind, rows in (("embeddings", repeated[embeds]), ("identical", repeated[~embeds & ~rerun]))
            for where, some in self._grouped(rows, lambda kind: kind.where).items()
        }
        names, codes = translated(self._cells, lambda name: f"{name[0] or ''} [{name[1]}]".strip())
        reruns = self._by_name(repeated[rerun], names, codes[cell])
        return found | {("rerun", name): some for name, some in reruns.items()}

    def bulks(self) -> dict[str, Some]:
        """By operation and model, calls that came by the hundred in an hour, and that nobody waited for."""
        waited = self._where(lambda kind: bool(kind.stream) or kind.service_tier == "batch")
        rest = self._rest[~waited[self._rest]]
        names, codes = translated(self._kinds, lambda kind: kind.where)
        hours = self._rows["at"] // _HOUR
        within = codes[self._kind] * (1 << 32) + (hours - hours.min() if len(hours) else hours)
        bulks = groups(within, rest, BULK)
        rows = np.sort(np.concatenate(bulks)) if bulks else rest[:0]
        return self._by_name(rows, names, codes[self._kind])

    def prefixes(self) -> dict[str, list[Prefix]]:
        """By model, the leading blocks that came again soon, and that the provider's cache was not used for."""
        _, codes = translated(self._kinds, lambda kind: kind.name)
        with np.errstate(over="ignore"):
            block = self._rows["prefix"] ^ (codes[self._kind] + 1) * _MIXER
        kept = np.flatnonzero(self._ok & self._begun & (self._rows["cached"] > 0))
        cached = {int(block[group[0]]): int(self._rows["cached"][group].min()) for group in groups(block, kept)}
        rest = self._rest[self._begun[self._rest]]
        rest = rest[(self._rows["cached"][rest] == 0) & (self._rows["input"][rest] >= LEAST_PREFIX)]
        found: dict[str, list[Prefix]] = {}
        for rows in self._in_a_row(block, rest):
            again = self._soon_after(rows)
            kind, at = self._example(rows[np.flatnonzero(again)[-1]])
            first = int((again[1:] & ~again[:-1]).sum())
            least = int(self._rows["input"][rows].min())
            one = Prefix(int(again.sum()), first, least, cached.get(int(block[rows[0]])), kind, at)
            found.setdefault(kind.name, []).append(one)
        return found

    def _in_a_row(self, block: Ints, rows: Ints) -> list[Ints]:
        """The groups of the rows that hold a call soon after another one."""
        order = rows[np.argsort(block[rows], kind="stable")]
        soon = self._soon_after(order) & np.r_[False, block[order[1:]] == block[order[:-1]]][: len(order)]
        repeated = np.unique(block[order[soon]])
        return groups(block, rows[np.isin(block[rows], repeated)])

    def _soon_after(self, rows: Ints) -> Flags:
        gap = np.diff(self._rows["at"][rows], prepend=self._rows["at"][rows[:1]])
        soon: Flags = (gap >= 0) & (gap <= CACHE_LIFE_S * _MICROSECONDS)
        soon[:1] = False
        return soon

    def _answered_before(self) -> Ints:
        """For each call, the first one that had the same request and was answered to its end; -1 where it is none."""
        request = self._rows["request"]
        before = np.full(len(request), -1, np.int64)
        rows = np.flatnonzero(self._ok & (request != 0))
        if len(rows):
            _, order, starts = grouped(request[rows])
            rows = rows[order]
            whole = self._where(lambda kind: kind.complete is not False)[rows]
            firsts = np.minimum.reduceat(np.where(whole, rows, len(request)), starts)
            first = np.repeat(firsts, np.diff(starts, append=len(rows)))
            later = rows > first
            before[rows[later]] = first[later]
        return before

    def _where(self, holds: Callable[[Kind], bool]) -> Flags:
        """For each call, whether something holds of its kind."""
        found: Flags = np.array([holds(kind) for kind in self._kinds], np.bool_)[self._kind]
        return found

    def _grouped(self, rows: Ints, name_of: Callable[[Kind], str]) -> dict[str, Some]:
        names, codes = translated(self._kinds, name_of)
        return self._by_name(rows, names, codes[self._kind])

    def _by_name(self, rows: Ints, names: list[str], codes: Ints) -> dict[str, Some]:
        return {names[codes[group[0]]]: self._some(group) for group in groups(codes, rows)}

    def _some(self, rows: Ints) -> Some:
        sent, cached, written = (int(self._rows[name][rows].sum()) for name in ("input", "cached", "output"))
        example, at = self._example(rows[-1])
        return Some(len(rows), self._money.sum(rows), sent, cached, written, example, at)

    def _example(self, row: int) -> tuple[Kind, datetime]:
        return self._kinds[self._kind[row]], utc(int(self._rows["at"][row]) / _MICROSECONDS)
