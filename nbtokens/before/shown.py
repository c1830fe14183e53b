"""How an estimate is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nbtokens.amounts import NOT_KNOWN, count, seconds, speed, usd
from nbtokens.before.estimate import CHARACTERS_OFF, NEAREST_OFF
from nbtokens.decimals import exactly
from nbtokens.reports.report import Part, Report, Table

if TYPE_CHECKING:
    from nbtokens.before.estimate import Estimate

_PERCENTILES: Final = (50, 95, 100)


@exactly
def estimate_report(one: Estimate) -> Report:
    """The report of an estimate."""
    sent = one.rows - one.empty_rows
    each = " / ".join(count(one.percentile(share)) for share in _PERCENTILES)
    usual = one.lengths.usual
    over = len(one.rows_over_context)
    rows = [
        ("rows", count(one.rows) + (f" ({count(one.empty_rows)} without a text)" if one.empty_rows else "")),
        ("input tokens", count(one.input_tokens)),
        ("  a row: half under / 95 % under / most", each),
        ("output tokens", NOT_KNOWN if usual is None else f"{count(one.output_tokens)} ({count(usual)} each)"),
        ("cost" if usual is not None else "cost of the input", usd(one.cost_usd)),
        ("  short answers to long ones", f"{usd(one.low_usd)} to {usd(one.high_usd)}"),
        ("  a row", usd(one.cost_usd / sent) if one.cost_usd is not None and sent else NOT_KNOWN),
        ("time, one call after another", seconds(one.seconds) + _at_speed(one)),
        ("rows over the context window", NOT_KNOWN if one.context_window is None else count(over)),
    ]
    if one.cost_usd is None or usual is None:
        del rows[5]
    return Report(
        f"Estimate for {one.model}", (Table("", ("what", ">expected"), tuple(rows)), *_notes(one)), _data(one)
    )


def _at_speed(one: Estimate) -> str:
    return f" (at {speed(one.tokens_per_second)})" if one.seconds is not None and one.tokens_per_second else ""


def _notes(one: Estimate) -> list[Part]:
    notes: list[Part] = [_how_counted(one)]
    said = {
        "given": f"Range: answers of {count(one.lengths.low)} to {count(one.lengths.high)} tokens.",
        "history": (
            f"Range: answers of {count(one.lengths.low)} to {count(one.lengths.high)} tokens, between which 90 % of "
            f"the {count(one.answers_seen)} answers so far lie."
            if one.answers_seen > 1
            else "No range: there was only one answer so far; output=200, or --output 200, gives another length."
        ),
        "unknown": "How long its answers are is not known: give output=200, or --output 200.",
    }
    if one.lengths.source in said:
        notes.append(said[one.lengths.source])
    if one.cost_usd is None:
        notes.append("Its price is not known: put it into [tool.nbtokens.prices].")
    if one.seconds is None:
        notes.append("How fast it answers is known from its first call on.")
    over = one.rows_over_context
    if over:
        first = ", ".join(map(str, over[:5])) + (", ..." if len(over) > 5 else "")  # noqa: PLR2004 - as written beside
        notes.append(f"More than {count(one.context_window)} tokens with the answer: rows {first} (counted from 0).")
    return notes


def _how_counted(one: Estimate) -> str:
    if one.exact:
        return f"Input counted with {one.encoding}, the model's own encoding."
    if one.encoding is not None:
        return f"Input counted with {one.encoding}, the nearest encoding: within about {100 * NEAREST_OFF:.0f} %."
    return f"Input estimated by its characters: within about {100 * CHARACTERS_OFF:.0f} % for English."


def _data(one: Estimate) -> dict[str, object]:
    return {
        "model": one.model,
        "rows": one.rows,
        "empty_rows": one.empty_rows,
        "input_tokens": one.input_tokens,
        "input_tokens_p50": one.percentile(50),
        "input_tokens_p95": one.percentile(95),
        "input_tokens_max": one.percentile(100),
        "encoding": one.encoding,
        "exact": one.exact,
        "output_tokens": one.output_tokens,
        "cost_usd": one.cost_usd,
        "low_usd": one.low_usd,
        "high_usd": one.high_usd,
        "price_source": one.price_source,
        "seconds": one.seconds,
        "tokens_per_second": one.tokens_per_second,
        "context_window": one.context_window,
        "rows_over_context": one.rows_over_context,
    }
