"""The tables that reports are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nbtokens.amounts import count, local_time, number_of, seconds, speed, usd
from nbtokens.reports.hidden import hide_money, hiding
from nbtokens.reports.report import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from nbtokens.history.totals import Sums
    from nbtokens.record import Record

FIGURE_COLUMNS: Final = (">calls", ">failed", ">input", ">cached", ">output", ">cost", ">tok/s")


def cost_of(sums: Sums) -> str:
    """The cost of some calls: what is priced, and how many calls are not."""
    if not sums.unpriced_calls:
        return usd(sums.cost_usd)
    unpriced = f"{count(sums.unpriced_calls)} unpriced"
    return f"{usd(sums.cost_usd)} + {unpriced}" if sums.cost_usd else unpriced


def in_brief(sums: Sums) -> str:
    """Calls, tokens and cost in a few words; without the money where that is hidden."""
    said = f"{number_of(sums.calls, 'call')}, {count(sums.input_tokens)} in, {count(sums.output_tokens)} out"
    said = f"{said}, {cost_of(sums)}"
    return hide_money(said) if hiding.on else said


def figures(sums: Sums) -> tuple[str, ...]:
    """The texts for `FIGURE_COLUMNS`."""
    return (
        count(sums.calls),
        count(sums.failed_calls),
        count(sums.input_tokens),
        count(sums.cache_read_input_tokens),
        count(sums.output_tokens),
        cost_of(sums),
        speed(sums.tokens_per_second).removesuffix(" tok/s"),
    )


def by_table(heading: str, name: str, groups: Mapping[str | None, Sums], nameless: str) -> Table:
    """A table with a row of figures for each group.

    Args:
        heading: what stands over it.
        name: what the groups are: the first column.
        groups: the sums of each.
        nameless: what the group without a name is called.
    """
    rows = tuple(
        (nameless if group is None else group, *figures(sums))
        for group, sums in groups.items()
        if sums.calls or sums.cache_hits  # else only operations ran
    )
    return Table(heading, (name, *FIGURE_COLUMNS), rows, "No calls yet.")


def calls_table(heading: str, records: Iterable[Record], when: Callable[[datetime | None], str] = local_time) -> Table:
    """A table with a row for each call; `when` writes its time."""
    columns = ("time", "model", "operation", ">input", ">output", ">cost", ">duration", "status")
    return Table(heading, columns, tuple(_call_row(record, when) for record in records), "No calls yet.")


def _call_row(record: Record, when: Callable[[datetime | None], str]) -> tuple[str, ...]:
    failed = record.status == "error"
    return (
        when(record.started_at),
        record.model or record.request_model or "?",
        record.purpose or "",
        count(record.input_tokens),
        count(record.output_tokens),
        usd(record.cost_usd) if record.cost_usd is not None or not failed else "",
        seconds(record.duration_s),
        status_of(record),
    )


def status_of(record: Record) -> str:
    """How a call went, in a few words: `ok`, `ok (estimated)`, `error: HTTP 429`."""
    if record.status == "error":
        return f"error: {record.error}" if record.error else "error"
    notes = [
        note
        for note, holds in (
            ("estimated", record.usage_source == "estimated"),
            ("not complete", record.complete is False),
        )
        if holds
    ]
    return f"ok ({', '.join(notes)})" if notes else "ok"
