"""Which calls any other model would have priced alike: what `whatif` goes by."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

import numpy as np

from nbtokens.analysis.gathered import Codes, Gathered, Money, counts, groups, translated
from nbtokens.analysis.what_if import Alike

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nbtokens.history.columns import Columns
    from nbtokens.record import Record

_TOKENS: Final = ("input_tokens", "output_tokens", "cache_read_input_tokens")
FIELDS: Final = frozenset({
    *_TOKENS, "kind", "model", "request_model", "call_type", "total_tokens", "cost_usd", "sums",
})  # fmt: skip
"""What is looked at."""


def alike(blocks: Iterable[Columns], sizes: Sequence[int]) -> Iterator[Alike]:
    """Calls that used tokens, those that are priced alike together; no embeddings.

    Args:
        blocks: the records. Calls of which there are sums count as so many of their average size.
        sizes: the numbers of input tokens beyond which prices differ, or a context window ends, in their order.
    """
    names, rows, money = Codes(), Gathered(), Money()
    for columns in blocks:
        yield from alike_of_sums(columns.where("kind", "rollup".__eq__).records(), sizes)
        calls = columns.where("kind", "call".__eq__)
        code = names.of(calls.tuples("model", "request_model", "call_type"), len(calls))
        answers = np.array([call_type != "embeddings" for *_, call_type in names], np.bool_)[code]
        chosen = np.flatnonzero(answers & (calls.floats("total_tokens") > 0))
        tokens = {name: counts(calls, name)[chosen] for name in _TOKENS}
        priced = ~np.isnan(calls.floats("cost_usd")[chosen])
        priced &= tokens["cache_read_input_tokens"] <= tokens["input_tokens"]
        rows.add(code=code[chosen], band=2 * np.searchsorted(sizes, tokens["input_tokens"]) + priced, **tokens)
        money.add(calls, "cost_usd", chosen)
        del columns, calls  # before more are read, into warm memory
    models, places = translated(list(names), lambda name: name[0] or name[1])
    group = places[rows["code"]] * 2 * (len(sizes) + 1) + rows["band"]
    for some in groups(group, np.arange(len(group))):
        model, band = divmod(int(group[some[0]]), 2 * (len(sizes) + 1))
        sent, written, cached = (int(rows[name][some].sum()) for name in _TOKENS)
        cost = money.sum(some) if band % 2 else None
        yield Alike(models[model], _beyond(sizes, band // 2), len(some), sent, written, cached, cost)


def alike_of_sums(rollups: Iterable[Record], sizes: Sequence[int]) -> Iterator[Alike]:
    """The same of rows that are the sums of calls."""
    for record in rollups:
        calls = int((record.sums or {}).get("calls", 0))
        if calls and record.total_tokens and record.call_type != "embeddings":
            sent, written, cached = (getattr(record, name) or 0 for name in _TOKENS)
            beyond = _beyond(sizes, bisect_left(sizes, sent // calls))
            cost = record.cost_usd if cached <= sent else None
            yield Alike(record.model or record.request_model, beyond, calls, sent, written, cached, cost)


def _beyond(sizes: Sequence[int], exceeded: int) -> int:
    return sizes[exceeded - 1] if exceeded else 0
