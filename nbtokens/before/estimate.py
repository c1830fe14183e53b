"""What sending some rows to a model will come to: tokens, money, time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from nbtokens.before.counting import Counter, counted
from nbtokens.before.rows import rows_of
from nbtokens.before.seen import seen_of
from nbtokens.call import Usage
from nbtokens.decimals import exactly
from nbtokens.errors import NbtokensError
from nbtokens.model_facts import facts_of
from nbtokens.order import Order
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nbtokens.before.counting import Counted
    from nbtokens.before.seen import Seen
    from nbtokens.model_facts import ModelFacts
    from nbtokens.reports.report import Report

_PRICES_WAIT: Final = 10.0
_MAKERS: Final = ("openai", "anthropic", "google", "mistral", "cohere", "voyageai")
NEAREST_OFF: Final = 0.10
"""How far a count may be off where another family's encoding stands in: see docs/estimates.md."""
CHARACTERS_OFF: Final = 0.15
"""The same where only the characters tell."""

Output: TypeAlias = "float | tuple[float, float] | None"


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long answers will be, in tokens.

    Attributes:
        usual: on average; None where that is not known.
        low: where they are short.
        high: where they are long.
        source: who says so: `given`, `history`, `embeddings` (there are no answers), `unknown`.
    """

    usual: float | None
    low: float
    high: float
    source: str


@dataclass(frozen=True, eq=False, repr=False)
class Estimate:
    """What sending some rows will come to. In a notebook it shows as a table.

    Attributes:
        model: the model.
        input_tokens_by_row: an array; 0 for a row without a text, which nobody would send.
        encoding: what they were counted with; None where only the characters could tell.
        exact: whether that is the model's own encoding.
        lengths: of the answers.
        cost_usd: all rows together; None where the price is not known.
        low_usd: with short answers, and with fewer input tokens as far as their count is not exact.
        high_usd: with long ones, and more.
        price_source: who says what a token costs; None where nobody does.
        seconds: one call after another, at the speed seen so far; None where none was seen.
        tokens_per_second: that speed; None too for embeddings.
        answers_seen: how many answers of the model are in the history.
        context_window: the most tokens of a request that the model takes; None where that is not known.
    """

    model: str
    input_tokens_by_row: NDArray[np.int64]
    encoding: str | None
    exact: bool
    lengths: Lengths
    cost_usd: Decimal | None
    low_usd: Decimal | None
    high_usd: Decimal | None
    price_source: str | None
    seconds: float | None
    tokens_per_second: float | None
    answers_seen: int
    context_window: int | None

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.input_tokens_by_row)

    @property
    def empty_rows(self) -> int:
        """How many of them have no text."""
        return int((self.input_tokens_by_row == 0).sum())

    @property
    def input_tokens(self) -> int:
        """Of all rows."""
        return int(self.input_tokens_by_row.sum())

    @property
    def output_tokens(self) -> int | None:
        """Of all answers, as expected; None where their length is not known."""
        return None if self.lengths.usual is None else round(self.lengths.usual * (self.rows - self.empty_rows))

    @property
    def rows_over_context(self) -> list[int]:
        """The positions of the rows that, with their answer, don't fit into the context window."""
        if self.context_window is None:
            return []
        room = self.context_window - (self.lengths.usual or 0)
        positions: list[int] = np.flatnonzero(self.input_tokens_by_row > room).tolist()
        return positions

    def percentile(self, share: float) -> float | None:
        """The input tokens under which `share` (0 to 100) of the rows with a text lie; None where there are none."""
        sent = self.input_tokens_by_row[self.input_tokens_by_row > 0]
        return float(np.percentile(sent, share)) if len(sent) else None

    def report(self) -> Report:
        """The figures, to be shown or taken apart (`report().data`)."""
        from nbtokens.before.shown import estimate_report  # noqa: PLC0415 - what is shown knows what there is to show

        return estimate_report(self)

    def plot(self, axes: Any = None) -> Any:  # noqa: ANN401 - matplotlib's Axes, which has no types
        """Draw how long the rows are into `axes`, or into new ones; returns these."""
        from nbtokens.plots.estimate import plot_estimate  # noqa: PLC0415 - only where something is drawn

        return plot_estimate(self, axes)

    def _repr_html_(self) -> str:
        return self.report()._repr_html_()

    def _repr_markdown_(self) -> str:
        return self.report()._repr_markdown_()

    def __repr__(self) -> str:
        return repr(self.report())


def estimate(  # noqa: PLR0913 - each says something else of what will be sent
    data: Any,  # noqa: ANN401 - whatever the user has
    model: str,
    output: Output = None,
    *,
    system: str | None = None,
    operation: str | None = None,
    provider: str | None = None,
    progress: bool = True,
    times: int = 1,
) -> Estimate:
    """See `nbtokens.estimate`; `times` is how often each row is sent."""
    rows = rows_of(data)
    seen = seen_of(runtime().history.totals, model, operation)
    lengths = _lengths(output, seen)
    counter = Counter(model, framed=not seen.embeds, system=system)
    tokens = counted(rows.items, counter, progress=progress).repeated(times)
    meter = runtime().meter
    meter.wait_for_prices(_PRICES_WAIT)
    off = 0.0 if tokens.exact else NEAREST_OFF if tokens.encoding is not None else CHARACTERS_OFF
    facts = _facts(model, provider or seen.provider)
    who = provider or seen.provider or (facts.provider if facts is not None else None)
    cost, source = _cost(tokens, lengths.usual or 0, 1.0, model, who)
    return Estimate(
        model,
        tokens.tokens,
        tokens.encoding,
        tokens.exact,
        lengths,
        cost,
        _cost(tokens, lengths.low, 1 - off, model, who)[0],
        _cost(tokens, lengths.high, 1 + off, model, who)[0],
        source,
        _seconds(int((tokens.tokens > 0).sum()), lengths, seen),
        None if seen.embeds else seen.tokens_per_second,
        seen.answers,
        facts.context_window if facts is not None else None,
    )


def output_of(text: str | None) -> Output:
    """The tokens of an answer as one types them: 200, or 100-400.

    Raises:
        NbtokensError: it is neither.
    """
    if text is None:
        return None
    try:
        low, dash, high = text.replace(",", "").partition("-")
        return (float(low), float(high)) if dash else float(low)
    except ValueError:
        raise NbtokensError(f"--output is {text!r}; give tokens for each answer, as 200 or 100-400") from None


def _facts(model: str, provider: str | None) -> ModelFacts | None:
    """What is known of a model. Not every name tells its provider; those that have models of their own are asked."""
    found = (facts_of(model, who) for who in (provider, None, *_MAKERS))
    return next((facts for facts in found if facts is not None), None)


def _lengths(output: Output, seen: Seen) -> Lengths:
    if isinstance(output, tuple):
        low, high = output
        _check(low, high)
        return Lengths((low + high) / 2, low, high, "given")
    if output is not None:
        _check(output, output)
        return Lengths(output, output / 2, output * 2, "given")
    if seen.embeds:
        return Lengths(0, 0, 0, "embeddings")
    if seen.output_tokens is None:
        return Lengths(None, 0, 0, "unknown")
    return Lengths(*seen.output_tokens, "history")


def _check(low: float, high: float) -> None:
    if not 0 <= low <= high:
        raise NbtokensError(f"output is {low} to {high}; give tokens for each answer, as 200, or as (100, 400)")


@exactly
def _cost(
    tokens: Counted, written: float, scale: float, model: str, provider: str | None
) -> tuple[Decimal | None, str | None]:
    """What all rows cost, and who says so: each is priced by its own length, for long requests may cost more."""
    price = runtime().meter.price
    now, total, source = datetime.now(UTC), Decimal(0), None
    lengths, times = np.unique(tokens.tokens[tokens.tokens > 0], return_counts=True)
    for length, count in zip(lengths.tolist() or [0], times.tolist() or [0], strict=True):
        usage = Usage(input_tokens=round(length * scale), output_tokens=round(written))
        one = price(Order((model,), usage, now, provider=provider))
        if one.total is None:
            return None, None
        total += one.total * count
        source = one.source
    return total, source


def _seconds(rows: int, lengths: Lengths, seen: Seen) -> float | None:
    if seen.embeds:
        return None if seen.seconds_per_call is None else seen.seconds_per_call * rows
    if lengths.usual is None or not seen.tokens_per_second:
        return None
    return lengths.usual * rows / seen.tokens_per_second
