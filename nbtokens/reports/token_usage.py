"""The token usage report, in the form that people know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nbtokens.reports.figures import cost_of
from nbtokens.reports.report import Layout, Report
from nbtokens.reports.token_stats import stats_data

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nbtokens.analysis.token_stats import Group, TokenStats

_WIDTH: Final = 70
_LABEL: Final = 22
_NOTHING: Final = "No LLM invocations tracked"


def usage_report(stats: TokenStats, *, detailed: bool, reasons: Sequence[str] = ()) -> Report:
    """The report of some calls.

    Args:
        stats: what they are, by operation and by model.
        detailed: whether to break them down.
        reasons: why there may be no calls; said where there are none.
    """
    title = ("=" * _WIDTH, "TOKEN USAGE REPORT", "=" * _WIDTH, "")
    if not stats.whole.every.calls:
        lines = [_NOTHING, *(f"  - {reason}" for reason in (*_other_answers(stats.whole), *reasons))]
        return Report("", (Layout((*title, *lines)),), stats_data(stats))
    lines = [*_totals(stats.whole), "", *_averages(stats.whole)]
    for by, groups in stats.by.items() if detailed else ():
        lines += ["", "-" * _WIDTH, f"BREAKDOWN BY {by.upper()}", "-" * _WIDTH]
        for name, group in groups.items():
            if group.every.calls:
                lines += ["", f"{name if name is not None else f'(no {by})'}:", *_breakdown(group)]
    return Report("", (Layout((*title, *lines)),), stats_data(stats))


def _totals(whole: Group) -> Iterator[str]:
    ok, every = whole.ok, whole.every
    yield _line("Total LLM Invocations", f"{ok.calls:,}")
    yield _line("Total Prompt Tokens", f"{ok.input_tokens:,}")
    yield _line("Total Completion Tokens", f"{ok.output_tokens:,}")
    yield _line("Total Tokens", f"{ok.total_tokens:,}")
    if every.priced_calls:
        yield _line("Total Cost", cost_of(every))
    if every.failed_calls:
        yield _line("Failed Calls", f"{every.failed_calls:,}")
    if every.cache_hits:
        yield _line("Cache Hits", f"{every.cache_hits:,}")
    if every.runs:
        used = every.runs - every.runs_without_calls
        yield _line("Runs That Used an LLM", f"{used:,} of {every.runs:,}")


def _averages(whole: Group) -> Iterator[str]:
    ok = whole.ok
    yield "Average per Invocation:"
    yield _line("  Prompt Tokens", _average(whole, ok.input_tokens))
    yield _line("  Completion Tokens", _average(whole, ok.output_tokens))
    yield _line("  Total Tokens", _average(whole, ok.total_tokens))


def _breakdown(group: Group) -> Iterator[str]:
    ok, every = group.ok, group.every
    yield _line("  Invocations", f"{ok.calls:,}")
    yield _line("  Total Tokens", f"{ok.total_tokens:,}")
    yield _line("  Prompt Tokens", f"{ok.input_tokens:,}")
    yield _line("  Completion Tokens", f"{ok.output_tokens:,}")
    yield _line("  Avg Tokens/Call", _average(group, ok.total_tokens))
    if every.priced_calls:
        yield _line("  Cost", cost_of(every))
    if every.failed_calls:
        yield _line("  Failed Calls", f"{every.failed_calls:,}")


def _average(group: Group, tokens: int) -> str:
    average = group.average(tokens)
    return "n/a" if average is None else f"{average:,.1f}"


def _line(label: str, value: str) -> str:
    return f"{label + ':':<{_LABEL}} {value}"


def _other_answers(whole: Group) -> Iterator[str]:
    if whole.every.cache_hits:
        yield f"{whole.every.cache_hits:,} answers came from a cache."
    if whole.every.runs:
        yield f"{whole.every.runs:,} operations ran, and none of them needed a model."
