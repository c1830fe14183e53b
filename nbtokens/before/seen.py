"""What the history knows of a model: how long its answers were, how fast they came, who gave them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from nbtokens.decimals import exactly
from nbtokens.history.totals import Measures, Sums

if TYPE_CHECKING:
    from nbtokens.history.totals import Totals

_DATED: Final = re.compile(r"-\d[\d-]*|@.*|:latest")
_EMBEDDING: Final = re.compile(r"embed")


class Seen(NamedTuple):
    """A model's calls so far.

    Attributes:
        answers: how many succeeded.
        output_tokens: how long these were: mean, and the lengths under which 5 and 95 of 100 lie; None where unseen.
        tokens_per_second: of all of them; None where that was never seen.
        seconds_per_call: the average; None likewise.
        provider: who gave most of them.
        embeds: whether the model makes embeddings and so writes nothing.
    """

    answers: int
    output_tokens: tuple[float, float, float] | None
    tokens_per_second: float | None
    seconds_per_call: float | None
    provider: str | None
    embeds: bool


@exactly
def seen_of(totals: Totals, model: str, operation: str | None) -> Seen:
    """What some totals hold of a model, under its own name or with the date of its version behind it.

    Args:
        totals: of any calls.
        model: as a request names it.
        operation: only calls of this operation.
    """
    sums, measures, providers, embeds = Sums(), Measures(), dict[str, int](), bool(_EMBEDDING.search(model.lower()))
    for key, one in totals.rows.items():
        if not is_model(key.model, model):
            continue
        if key.provider is not None:
            providers[key.provider] = providers.get(key.provider, 0) + one.calls
        if operation in (None, key.purpose) and key.call_type != "embeddings":
            sums.merge(one)
        embeds = embeds or (key.call_type == "embeddings" and not sums.calls)
    for (name, of_operation), spread in totals.measures.items():
        if is_model(name, model) and operation in (None, of_operation):
            measures.merge(spread)
    written, took = measures.output_tokens, measures.duration_s
    low, high = written.quantile(0.05), written.quantile(0.95)
    return Seen(
        written.count,
        (written.sum / written.count, low, high) if low is not None and high is not None else None,
        sums.tokens_per_second,
        took.sum / took.count if took.count else None,
        max(providers, key=lambda name: providers[name], default=None),
        embeds and not sums.calls,
    )


def is_model(name: str | None, asked: str) -> bool:
    """Whether a recorded model is the one asked for: `gpt-5-mini-2025-08-07` is `gpt-5-mini`."""
    if name is None or not name.startswith(asked):
        return False
    return name == asked or _DATED.fullmatch(name[len(asked) :]) is not None
