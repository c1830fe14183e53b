"""Checking a whole ledger: every line a record, every id once, totals equal to the sum of the rows."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from nbtokens.errors import HistoryError
from nbtokens.history.archive import marker_of
from nbtokens.history.layout import BOM, faults
from nbtokens.history.rewrite import Plan, rewrite
from nbtokens.history.totals import Totals
from nbtokens.record import VERSION, Record, folded

if TYPE_CHECKING:
    from nbtokens.history.layout import Bad
    from nbtokens.history.rewrite import Outcome
    from nbtokens.history.store import Store
    from nbtokens.record import Amendment

_MOST_NAMED: Final = 20
_HEAD: Final = 4096


@dataclass
class Findings:
    """What is to be said about a ledger.

    Attributes:
        rows: rows of the file, by kind.
        archived: rows of the archive.
        problems: what is wrong, in words for the user.
        notes: what is worth knowing, and no fault.
    """

    rows: dict[str, int] = field(default_factory=dict)
    archived: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify(store: Store) -> Findings:
    """Check everything. Nothing is changed."""
    found = Findings()
    bad: list[Bad] = []
    totals, ids = Totals(), set[str]()
    doubled: list[str] = []
    unreadable = store.journal.why_unreadable()
    if unreadable is not None or not store.journal.is_history():
        why = "is not a usage history" if unreadable is None else f"can't be read ({unreadable})"
        found.problems.append(f"{store.journal.path} {why}.")
        return found
    amended = _amendments(store, found)
    try:
        for record in store.archive.rows():
            found.archived += 1
            _count(record, amended, totals, ids, doubled)
    except HistoryError as error:
        found.problems.append(str(error))
    newer = 0
    for line in store.journal.read(report=bad.append):
        record = line.record
        found.rows[record.kind] = found.rows.get(record.kind, 0) + 1
        newer += record.v > VERSION
        _count(record, amended, totals, ids, doubled)
    bad += _faults(store)
    found.problems += [f"Line {store.journal.line_number(one.start)}: {one.why}" for one in bad[:_MOST_NAMED]]
    if len(bad) > _MOST_NAMED:
        found.problems.append(f"... and {len(bad) - _MOST_NAMED:,} more lines that are no records")
    found.problems += [f"The id {one} is there more than once." for one in doubled[:_MOST_NAMED]]
    if len(doubled) > _MOST_NAMED:
        found.problems.append(f"... and {len(doubled) - _MOST_NAMED:,} more ids")
    missing = [ref for ref in amended if ref not in ids]
    if missing:
        found.notes.append(f"{len(missing):,} amendments speak of records that are not there.")
    begins = store.journal.bytes_before(_HEAD, _HEAD)
    if begins.startswith(BOM) or b"\r\n" in begins:
        found.notes.append("Saved by another program, with a byte order mark or lines as on Windows; all of it counts.")
    if newer:
        found.notes.append(f"{newer:,} rows are of a newer version, and read as far as this one knows them.")
    _compare(store, totals, found)
    return found


def _faults(store: Store) -> list[Bad]:
    """What is wrong between the records; looked at again while nobody writes, for who writes may be overtaken."""

    def look() -> list[Bad]:
        try:
            with store.journal.path.open("rb") as file:
                return list(faults(file))
        except FileNotFoundError:
            return []

    found = look()
    if found:
        with contextlib.suppress(OSError, HistoryError), store.journal.locked():
            return look()
    return found


def repair(store: Store) -> Outcome:
    """Write the history anew: valid JSON, each id once; what can't be read is set aside. Totals are added up again."""
    store.archive.recover()
    ids: set[str] = set()
    with contextlib.suppress(HistoryError):  # a file of the archive that can't be read is for `verify` to name
        ids.update(record.id for record in store.archive.rows())

    def keeps(record: Record) -> bool:
        new = record.id not in ids
        ids.add(record.id)
        return new

    return rewrite(store, Plan("repair", keeps=keeps))


def _amendments(store: Store, found: Findings) -> dict[str | None, Amendment]:
    try:
        return store.amendments()
    except HistoryError as error:
        found.problems.append(str(error))
        return {record.ref: record for record in store.journal.amendments()}


def _count(
    record: Record, amended: dict[str | None, Amendment], totals: Totals, ids: set[str], doubled: list[str]
) -> None:
    if record.id in ids:
        doubled.append(record.id)
    ids.add(record.id)
    if record.kind != "amend":
        totals.add(folded(record, amended.get(record.id)))


def _compare(store: Store, totals: Totals, found: Findings) -> None:
    """Whether the totals that everybody is shown are the sum of the rows."""
    shown = store.totals()
    for key in sorted(shown.rows.keys() | totals.rows.keys(), key=str):
        one, other = shown.rows.get(key), totals.rows.get(key)
        if one is None or other is None or (one.calls, one.cost_usd, one.input_tokens, one.output_tokens) != (
            other.calls, other.cost_usd, other.input_tokens, other.output_tokens
        ):  # fmt: skip
            found.problems.append(
                f"The totals of {key.day}, {key.model} are not the sum of the rows; `nbtokens verify --repair` adds "
                "them up again."
            )
            return
    if marker_of(store.journal.path):
        found.notes.append("The file was written anew by nbtokens (archive, forget, keep or repair).")
