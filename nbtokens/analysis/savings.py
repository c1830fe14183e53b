"""What could have been saved: each with the calls that show it, and the money, worked out from the history."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from nbtokens.amounts import usd
from nbtokens.analysis.validation import CUT_OFF
from nbtokens.call import Usage
from nbtokens.order import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbtokens.order import Price
    from nbtokens.record import Record

LEAST_CALLS: Final = 3
LEAST_SAVING: Final = Decimal("0.01")
LEAST_PREFIX: Final = 1024
"""No provider caches a shorter prefix."""
CACHE_LIFE_S: Final = 300.0
"""How long providers keep a cached prefix at least."""
SHORT_OUTPUT: Final = 100
SHORT_INPUT: Final = 1000
LEAST_SHORT: Final = 20
BULK: Final = 100
_ZERO: Final = Decimal(0)

Pricer: TypeAlias = "Callable[[Order], Price]"
"""What a call costs."""
Siblings: TypeAlias = "Callable[[str, str | None], list[str]]"
"""(model, provider) -> other models that may do the same."""

_Kind: TypeAlias = tuple[str | None, str | None]
"""An operation and a model."""
_Place: TypeAlias = tuple[str | None, str | None, str | None, int | None]
"""A notebook, a cell, a session, an execution count."""

_KEEP: Final = {
    "identical": "requests that had been answered before: keep the answers, in a dict or on disk",
    "embeddings": "texts that had been embedded before: keep the vectors",
    "rerun": "requests that an earlier run of the same cell had sent: keep its answers in a variable or on disk",
}


class Saving(NamedTuple):
    """One recommendation.

    Attributes:
        kind: `identical`, `embeddings`, `rerun`, `prefix`, `cheaper`, `failed`, `truncated`, `batch`.
        where: which calls: an operation and its model, a cell, a model.
        calls: how many would not have been made, or would have been cheaper.
        saved_usd: what that would have saved.
        at_most: whether that is an upper bound.
        advice: what to change, in words.
    """

    kind: str
    where: str
    calls: int
    saved_usd: Decimal
    at_most: bool
    advice: str


@dataclass(slots=True)
class _Some:
    """Calls that belong together."""

    calls: int = 0
    cost: Decimal = _ZERO
    input: int = 0
    output: int = 0
    example: Record | None = None

    def add(self, record: Record) -> None:
        self.calls += 1
        self.cost += record.cost_usd or _ZERO
        self.input += record.input_tokens or 0
        self.output += record.output_tokens or 0
        self.example = record

    def priced(self, price: Pricer, model: str | None = None, tier: str | None = None) -> Decimal | None:
        """What they cost by today's prices, by another model or in another tier, each with the average usage."""
        usage = Usage(input_tokens=self.input // self.calls, output_tokens=self.output // self.calls)
        one = _price_of(self.example, usage, price, model, tier)
        return None if one is None else one * self.calls


@dataclass(slots=True)
class _Prefix:
    """Calls of one model with the same leading block."""

    last_at: float = 0.0
    least_input: int = 0
    soon_after: _Some = field(default_factory=_Some)


class Waste:
    """Looks at the calls of a history, one after the other, in their order."""

    def __init__(self) -> None:
        self._answered: dict[str, _Place] = {}
        self._places: dict[_Place, _Place] = {}  # each once: of millions of requests no more than that is kept
        self._repeated: dict[tuple[str, str], _Some] = defaultdict(_Some)
        self._failed: dict[str, _Some] = defaultdict(_Some)
        self._truncated: dict[_Kind, _Some] = defaultdict(_Some)
        self._prefixes: dict[tuple[str, str], _Prefix] = defaultdict(_Prefix)
        self._short: dict[str, _Some] = defaultdict(_Some)
        self._hours: dict[tuple[_Kind, int, int], _Some] = defaultdict(_Some)

    def look(self, record: Record) -> None:
        """Take the next record in. What is no call, or has no price, says nothing."""
        if record.kind != "call" or not record.cost_usd:
            return
        if record.status != "ok":
            self._failed[_model(record)].add(record)
            return
        if record.request_hash is not None and self._is_repeated(record, record.request_hash):
            return
        if record.finish_reason in CUT_OFF:
            self._truncated[_kind(record)].add(record)
        if record.call_type != "embeddings":
            self._look_at_prefix(record)
            if _is_short(record):
                self._short[_model(record)].add(record)
        if not record.stream and record.service_tier != "batch":
            at = record.started_at
            self._hours[_kind(record), at.toordinal(), at.hour].add(record)

    def savings(self, price: Pricer, siblings: Callable[[str, str | None], list[str]]) -> list[Saving]:
        """What it comes to, the greatest first; nothing for which there is too little evidence.

        Args:
            price: what a call costs.
            siblings: (model, provider) -> other models that may do the same.
        """
        found = [
            *self._of_repeated(),
            *self._of_failed(),
            *self._of_prefixes(price),
            *self._of_short(price, siblings),
            *self._of_bulk(price),
        ]
        found = [one for one in found if one.saved_usd >= LEAST_SAVING]
        return sorted(found, key=lambda one: (-one.saved_usd, one.kind, one.where))

    def _is_repeated(self, record: Record, fingerprint: str) -> bool:
        """Whether the same request was answered before; it is counted where it belongs."""
        place = (record.notebook, record.cell, record.session, record.execution_count)
        before = self._answered.get(fingerprint)
        if before is None:
            if record.complete is not False:
                self._answered[fingerprint] = self._places.setdefault(place, place)
            return False
        if record.call_type == "embeddings":
            self._repeated["embeddings", _where(_kind(record))].add(record)
        elif record.cell is not None and before[:2] == place[:2] and before != place:
            self._repeated["rerun", f"{record.notebook or ''} [{record.cell}]".strip()].add(record)
        else:
            self._repeated["identical", _where(_kind(record))].add(record)
        return True

    def _look_at_prefix(self, record: Record) -> None:
        tokens = record.input_tokens or 0
        if record.prefix_hash is None or record.cache_read_input_tokens or tokens < LEAST_PREFIX:
            return
        group = self._prefixes[_model(record), record.prefix_hash]
        at = record.started_at.timestamp()
        if group.last_at and 0 <= at - group.last_at <= CACHE_LIFE_S:
            group.soon_after.add(record)
        group.least_input = min(group.least_input or tokens, tokens)
        group.last_at = at

    def _of_repeated(self) -> Iterator[Saving]:
        for (kind, where), some in self._repeated.items():
            if some.calls >= LEAST_CALLS:
                yield Saving(kind, where, some.calls, some.cost, at_most=False, advice=f"{some.calls:,} {_KEEP[kind]}.")

    def _of_failed(self) -> Iterator[Saving]:
        for model, some in self._failed.items():
            if some.calls >= LEAST_CALLS:
                advice = (
                    f"{some.calls:,} calls failed, were retried or given up, and cost {usd(some.cost)} all the same."
                )
                yield Saving("failed", model, some.calls, some.cost, at_most=False, advice=advice)
        for kind, some in self._truncated.items():
            if some.calls >= LEAST_CALLS:
                advice = f"{some.calls:,} answers were cut off at max_tokens: raise it, or ask for shorter answers."
                yield Saving("truncated", _where(kind), some.calls, some.cost, at_most=True, advice=advice)

    def _of_prefixes(self, price: Pricer) -> Iterator[Saving]:
        """By model: an upper bound, since a leading block is at most as long as the shortest request with it."""
        models: dict[str, list[tuple[int, Decimal]]] = {}
        for (model, _), group in self._prefixes.items():
            some, least = group.soon_after, group.least_input
            if some.calls >= LEAST_CALLS:
                plain = _price_of(some.example, Usage(input_tokens=least), price)
                cached = _price_of(some.example, Usage(input_tokens=least, cache_read_input_tokens=least), price)
                if plain is not None and cached is not None and cached < plain:
                    models.setdefault(model, []).append((some.calls, (plain - cached) * some.calls))
        for model, blocks in models.items():
            calls = sum(count for count, _ in blocks)
            advice = (
                f"{calls:,} calls began like another one within the 5 minutes before ({len(blocks):,} leading blocks), "
                "and the provider's cache was not used: put what stays the same first, and mark it as cacheable."
            )
            yield Saving(
                "prefix", model, calls, sum((saved for _, saved in blocks), _ZERO), at_most=True, advice=advice
            )

    def _of_short(self, price: Pricer, siblings: Siblings) -> Iterator[Saving]:
        for model, some in self._short.items():
            now = some.priced(price) if some.calls >= LEAST_SHORT else None
            if now is None or some.example is None:
                continue
            costs = ((some.priced(price, other), other) for other in siblings(model, some.example.provider))
            cheaper = max(((cost, other) for cost, other in costs if cost and cost < now), default=None)
            if cheaper is not None:
                advice = (
                    f"{some.calls:,} answers of at most {SHORT_OUTPUT} tokens to at most {SHORT_INPUT:,}: {cheaper[1]} "
                    f"would have cost {usd(cheaper[0])} in place of {usd(now)}; try whether it is good enough."
                )
                yield Saving("cheaper", model, some.calls, now - cheaper[0], at_most=False, advice=advice)

    def _of_bulk(self, price: Pricer) -> Iterator[Saving]:
        bulks: dict[_Kind, _Some] = {}
        for (kind, _, _), some in self._hours.items():
            if some.calls >= BULK:
                bulk = bulks.setdefault(kind, _Some())
                bulk.calls, bulk.cost = bulk.calls + some.calls, bulk.cost + some.cost
                bulk.input, bulk.output, bulk.example = bulk.input + some.input, bulk.output + some.output, some.example
        for kind, some in bulks.items():
            now, batch = some.priced(price), some.priced(price, tier="batch")
            if now and batch is not None and batch < now:
                advice = (
                    f"{some.calls:,} calls came {BULK} or more in an hour and were not streamed: the provider's batch "
                    f"API takes {100 * batch / now:.0f} % of the price, where an answer may wait."
                )
                yield Saving(
                    "batch", _where(kind), some.calls, some.cost * (1 - batch / now), at_most=False, advice=advice
                )


def _price_of(
    example: Record | None,
    usage: Usage,
    price: Pricer,
    model: str | None = None,
    tier: str | None = None,
) -> Decimal | None:
    """What one call like the example would cost with another usage, model or tier."""
    if example is None:
        return None
    named = (model,) if model is not None else (example.model, example.request_model)
    models = tuple(dict.fromkeys(name for name in named if name))
    return price(
        Order(
            models,
            usage,
            example.started_at,
            provider=example.provider,
            server=example.server_address,
            tier=tier or example.service_tier,
        )
    ).total


def _is_short(record: Record) -> bool:
    return (
        (record.output_tokens or 0) <= SHORT_OUTPUT
        and (record.input_tokens or 0) <= SHORT_INPUT
        and not record.reasoning_output_tokens
        and record.finish_reason not in CUT_OFF
    )


def _model(record: Record) -> str:
    return record.model or record.request_model or "(no model)"


def _kind(record: Record) -> _Kind:
    return record.operation, record.model or record.request_model


def _where(kind: _Kind) -> str:
    operation, model = kind
    return f"{operation}, {model or '(no model)'}" if operation else model or "(no model)"
