"""What `stats` shows: the token statistics in the form that people know, and what else there is to tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nbtokens.amounts import NOT_KNOWN, count, number_of, seconds, usd
from nbtokens.reports.figures import cost_of
from nbtokens.reports.report import Layout, Part, Report, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbtokens.analysis.media import Media
    from nbtokens.analysis.token_stats import Group, Groups, TokenStats

_SUMMARY: Final = ("count", "avg", "min", "max", "p50", "p95", "p99", "sum")
_MEASURES: Final = {
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "total_tokens": "total tokens",
    "tokens_per_second": "tokens/s",
    "duration_s": "duration",
    "cost_usd": "cost",
}
_BY: Final = (
    *(">calls", ">failed", ">from cache", ">input", ">output", ">total", ">total/call", ">output/call"),
    *(">tokens/s", ">cost"),
)
_MEANING: Final = (
    "Counts, averages and percentiles are over the calls that succeeded; failed calls and answers from caches are "
    "counted apart. Those of output (completion) tokens are over the calls that wrote any, which embeddings don't; "
    "what is by the call is over all that succeeded. A call's tokens/s are its output tokens by its duration; averages "
    "of it are over the calls that have both, in the tables by group over all of their seconds. Percentiles are exact "
    "within 1 %."
)


def stats_report(stats: TokenStats) -> Report:
    """The report of some statistics.

    Args:
        stats: of any calls; where `by` has no models, the breakdown by model is left out.
    """
    whole = stats.whole
    if not (whole.every.calls or whole.every.cache_hits or whole.every.runs):
        return Report("API Token Statistics", ("No calls are recorded that this asks for.",), stats_data(stats))
    parts: list[Part] = [Layout(tuple(_known_form(whole, stats.by.get("model", {}))))]
    parts += [Table("Per call", ("measure", *(f">{name}" for name in _SUMMARY)), tuple(_measure_rows(whole)))]
    parts += [_by_table(by, groups) for by, groups in stats.by.items()]
    parts += [*_sentences(whole), _MEANING]
    return Report("", tuple(parts), stats_data(stats))


def _known_form(whole: Group, by_model: Groups) -> list[str]:
    """The lines that people know by heart."""
    of = whole.summaries
    written, speed = of["output_tokens"], of["tokens_per_second"]
    lines = [
        "=== API Token Statistics ===",
        f"  Samples: {written['count']:,}",
        f"  Total completion tokens: {count(written['sum'])}",
        f"  Avg completion tokens: {_one_digit(written['avg'])}",
        f"  Avg tokens/sec: {_two_digits(speed['avg'])}",
        f"  Completion tokens percentiles - {_percentiles(written, count)}",
        f"  Tokens/sec percentiles - {_percentiles(speed, _two_digits)}",
    ]
    models = [_model_line(name, group) for name, group in by_model.items() if group.ok.calls]
    return [*lines, *(["  Per-model breakdown:", *models] if models else [])]


def _model_line(name: str | None, group: Group) -> str:
    written = group.summaries["output_tokens"]
    calls = number_of(written["count"] or group.ok.calls, "call")
    speed = _two_digits(group.tokens_per_second)
    return f"    {name or '(no model)'}: {calls}, {count(written['avg'])} avg tokens, {speed} tokens/sec"


def _percentiles(summary: Mapping[str, Any], write: Any) -> str:  # noqa: ANN401 - number -> text
    return ", ".join(f"{name}: {write(summary[name])}" for name in ("p50", "p95", "p99"))


def _one_digit(number: float | None) -> str:
    return NOT_KNOWN if number is None else f"{number:,.1f}"


def _two_digits(number: float | None) -> str:
    return NOT_KNOWN if number is None else f"{number:,.2f}"


_WRITERS: Final = {"tokens_per_second": _two_digits, "duration_s": seconds, "cost_usd": usd}


def _measure_rows(whole: Group) -> list[tuple[str, ...]]:
    rows = []
    for name, summary in whole.summaries.items():
        if not summary["count"]:
            continue
        write = _WRITERS.get(name, count)
        values = [write(summary[one]) for one in _SUMMARY[1:-1]]
        if name not in _WRITERS:
            values[0] = _one_digit(summary["avg"])
        total = "" if name == "tokens_per_second" else write(summary["sum"])
        rows.append((_MEASURES[name], count(summary["count"]), *values, total))
    return rows


def _by_table(by: str, groups: Groups) -> Table:
    """A row for each group; of runs without any call there is a row only where operations are told apart."""
    shown = {name: one for name, one in groups.items() if by == "operation" or one.every.calls or one.every.cache_hits}
    of_runs = by == "operation" and any(group.every.runs for group in shown.values())
    rows = []
    for name, group in shown.items():
        every, ok = group.every, group.ok
        used = every.runs - every.runs_without_calls
        rows.append(
            (
                name if name is not None else f"(no {by})",
                count(ok.calls),
                count(every.failed_calls),
                count(every.cache_hits),
                count(ok.input_tokens),
                count(ok.output_tokens),
                count(ok.total_tokens),
                _one_digit(group.average(ok.total_tokens)),
                _one_digit(group.average(ok.output_tokens)),
                _two_digits(ok.tokens_per_second),
                cost_of(every),
                *((f"{used:,} of {every.runs:,}" if every.runs else "",) if of_runs else ()),
            )
        )
    return Table(f"By {by}", (by, *_BY, *((">runs with LLM",) if of_runs else ())), tuple(rows), "No calls.")


def _sentences(whole: Group) -> list[str]:
    every = whole.every
    lines = []
    if every.failed_calls:
        lines.append(f"{every.failed_calls:,} of {number_of(every.calls, 'call')} failed.")
    if every.cache_hits:
        what = "it is no call" if every.cache_hits == 1 else "they are no calls"
        lines.append(f"{number_of(every.cache_hits, 'answer')} came from a cache; {what}.")
    if every.runs:
        used = every.runs - every.runs_without_calls
        lines.append(f"{used:,} of {number_of(every.runs, 'run')} used the LLM, {100 * used / every.runs:.0f} %.")
    return lines


def stats_data(stats: TokenStats) -> dict[str, Any]:
    """The same for programs; docs/analysis.md describes it."""
    return {
        **_group_data(stats.whole),
        "measures": stats.whole.summaries,
        "by": {
            by: [{"name": name, **_group_data(group)} for name, group in groups.items()]
            for by, groups in stats.by.items()
        },
    }


def _group_data(group: Group) -> dict[str, Any]:
    every, ok = group.every, group.ok
    return {
        "calls": every.calls,
        "ok_calls": ok.calls,
        "failed_calls": every.failed_calls,
        "cache_hits": every.cache_hits,
        "runs": every.runs,
        "runs_without_calls": every.runs_without_calls,
        "input_tokens": ok.input_tokens,
        "output_tokens": ok.output_tokens,
        "total_tokens": ok.total_tokens,
        "tokens_per_second": ok.tokens_per_second,
        "cost_usd": every.cost_usd,
        "unpriced_calls": every.unpriced_calls,
        "measures": group.summaries if group.measures is not None else None,
    }


def with_media(report: Report, media: Mapping[str, Media]) -> Report:
    """The same report with pages and images."""
    rows = tuple(
        (name, count(of.calls), count(of.units or None), count(of.tokens or None), _one_digit(of.tokens_per_unit))
        for name, of in media.items()
        if of.calls
    )
    columns = ("what", ">calls", ">reported", ">tokens", ">tokens for each")
    table = Table("Pages and images", columns, rows, "No provider reported any.")
    data = {name: {"calls": of.calls, "count": of.units, "tokens": of.tokens} for name, of in media.items()}
    return Report(report.title, (*report.parts, table), {**report.data, "media": data})
