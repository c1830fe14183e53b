"""Totals of a history: kept current by reading what is new, remembered by a checkpoint that is believed if it fits."""

from __future__ import annotations

import json
import stat
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from nbtokens.history.rewrite import Plan, rewrite
from nbtokens.history.store import CHECKPOINT_NAME, Store
from nbtokens.record import encode, new_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nbtokens.record import Record


def _write(path: Path, records: list[Record]) -> None:
    path.write_bytes(b"[\n" + b",\n".join(map(encode, records)) + b"\n]\n")


def _blank_out_the_middle(path: Path) -> None:
    """Make the records between the first and the last unreadable, so that who reads them again counts too few."""
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:3], *(b" " * len(line) for line in lines[3:-5]), *lines[-5:]]))


@pytest.fixture
def priced(make_record: Callable[..., Record]) -> Callable[[int], list[Record]]:
    """So many records of one token and one dollar each."""
    return lambda count: [make_record(input_tokens=1, cost_usd=Decimal(1), model="m") for _ in range(count)]


@pytest.fixture
def checkpointed(path: Path, priced: Callable[[int], list[Record]]) -> Path:
    """A history of 20 records, and a checkpoint that covers them."""
    _write(path, priced(20))
    store = Store(path.parent, print)
    assert store.totals().sums().calls == 20
    store.checkpoint(force=True)
    return path.with_name(CHECKPOINT_NAME)


def test_other_processes_records_count(folder: Path, make_record: Callable[..., Record]) -> None:
    """What another process appends is in the totals the next time, in whatever turns the two write."""
    one, other = Store(folder, print), Store(folder, print)
    for number in range(1, 20):
        (one if number % 3 else other).append(make_record(input_tokens=number))
        if number % 2:
            assert one.totals().sums().input_tokens == sum(range(number + 1))
        if number % 5 == 0:
            assert other.totals().sums().input_tokens == sum(range(number + 1))
    assert one.totals().rows == other.totals().rows == Store(folder, print).totals().rows


def test_reads_only_what_is_new(path: Path, priced: Callable[[int], list[Record]]) -> None:
    """What was counted is not read again: made unreadable, it still counts."""
    records = priced(21)
    _write(path, records[:20])
    reader, writer = Store(path.parent, print), Store(path.parent, print)
    assert reader.totals().sums().calls == 20
    _blank_out_the_middle(path)
    writer.append(records[20])
    assert reader.totals().sums().calls == 21
    assert Store(path.parent, print).totals().sums().calls < 10


def test_a_checkpoint_spares_the_reading(checkpointed: Path, path: Path, priced: Callable[[int], list[Record]]) -> None:
    """A store that opens the history later reads only what the checkpoint does not cover; its totals are the same."""
    _blank_out_the_middle(path)
    later = Store(path.parent, print)
    later.append(priced(1)[0])
    sums = later.totals().sums()
    assert (sums.calls, sums.input_tokens, sums.cost_usd, sums.priced_tokens) == (21, 21, 21, 0)
    assert later.totals().stats()["cost_usd"]["p50"] == pytest.approx(1)
    assert len(later.totals().recent) == 10


def test_a_checkpoint_is_the_owners_alone(checkpointed: Path) -> None:
    """Nobody but its owner may read the checkpoint."""
    assert stat.S_IMODE(checkpointed.stat().st_mode) == 0o600


def test_checkpoints_come_by_themselves(path: Path, priced: Callable[[int], list[Record]]) -> None:
    """Without being forced, a checkpoint is written only when thousands of records are new."""
    _write(path, priced(10))
    store = Store(path.parent, print)
    store.totals()
    store.checkpoint()
    assert not path.with_name(CHECKPOINT_NAME).exists()
    _write(path, priced(2_500))
    store.totals()
    store.checkpoint()
    assert path.with_name(CHECKPOINT_NAME).exists()


def test_a_checkpoint_of_a_file_that_was_written_anew(folder: Path, priced: Callable[[int], list[Record]]) -> None:
    """Totals that were counted before another process forgot some rows are not kept as those of the new file."""
    before, other = Store(folder, print), Store(folder, print)
    records = priced(40)
    for record in records:
        before.append(record)
    assert before.totals().sums().calls == 40
    rewrite(other, Plan("forget", keeps=lambda record: record.id not in {one.id for one in records[:10]}))
    kept = (folder / CHECKPOINT_NAME).read_bytes()
    before.checkpoint(force=True)
    assert (folder / CHECKPOINT_NAME).read_bytes() == kept
    assert Store(folder, print).totals().sums().calls == 30


def _other_version(checkpoint: Path) -> None:
    content = json.loads(checkpoint.read_bytes())
    other = {**content["totals"], "rows": []}  # what its numbers mean is not ours to know
    checkpoint.write_text(json.dumps({**content, "version": 0, "totals": other}))


def _other_fields(checkpoint: Path) -> None:
    checkpoint.write_text('{"version": 0, "totals": {}}')


def _corrupt(checkpoint: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:-20])


def _no_text(checkpoint: Path) -> None:
    checkpoint.write_bytes(b"\xff\x00\xfe")


def _negative_offset(checkpoint: Path) -> None:
    content = json.loads(checkpoint.read_bytes())
    checkpoint.write_text(json.dumps({**content, "offset": -5}))


def _offset_too_far(checkpoint: Path) -> None:
    content = json.loads(checkpoint.read_bytes())
    checkpoint.write_text(json.dumps({**content, "offset": 10**9}))


def _a_folder(checkpoint: Path) -> None:
    checkpoint.unlink()
    checkpoint.mkdir()


@pytest.mark.parametrize(
    "spoil", [_other_version, _other_fields, _corrupt, _no_text, _negative_offset, _offset_too_far, _a_folder]
)
def test_a_checkpoint_that_cannot_be_used_is_not_believed(
    spoil: Callable[[Path], None], checkpointed: Path, path: Path, make_record: Callable[..., Record]
) -> None:
    """A checkpoint of another version, or one that is damaged, is passed over: the file is read, all of it, once."""
    spoil(checkpointed)
    store = Store(path.parent, print)
    store.append(make_record(input_tokens=1))
    assert store.totals().sums().input_tokens == 21
    store.checkpoint(force=True)
    assert Store(path.parent, print).totals().sums().input_tokens == 21


@pytest.mark.parametrize("count", [3, 20, 50])
def test_a_checkpoint_of_another_history_is_not_believed(
    count: int, checkpointed: Path, path: Path, make_record: Callable[..., Record]
) -> None:
    """Where another history has taken the file's place, shorter or longer, its own records count and no others."""
    _write(path, [make_record(input_tokens=7, cost_usd=Decimal(1), model="m") for _ in range(count)])
    assert Store(path.parent, print).totals().sums().input_tokens == 7 * count


@pytest.mark.parametrize("count", [3, 20, 50])
@pytest.mark.parametrize("how", ["written over", "moved there", "removed first"])
def test_a_file_replaced_while_running(
    how: str, count: int, path: Path, store: Store, make_record: Callable[..., Record]
) -> None:
    """When another history takes the file's place while a store is open, the totals become that one's."""
    _write(path, [make_record(input_tokens=1) for _ in range(20)])
    assert store.totals().sums().input_tokens == 20
    others = [make_record(input_tokens=7) for _ in range(count)]
    if how == "removed first":
        path.unlink()
    if how == "moved there":
        _write(path.with_name("new.json"), others)
        path.with_name("new.json").replace(path)
    else:
        _write(path, others)
    assert store.totals().sums().input_tokens == 7 * count
    store.append(make_record(input_tokens=1))
    assert store.totals().sums().input_tokens == 7 * count + 1


def test_truncated_by_hand(checkpointed: Path, path: Path, store: Store) -> None:
    """When somebody deletes the last rows, the totals are those of the rest, also for a store that knew them."""
    assert store.totals().sums().calls == 20
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:11]).rstrip(",\n") + "\n]\n")
    assert store.totals().sums().calls == 10
    assert Store(path.parent, print).totals().sums().calls == 10


@pytest.mark.parametrize("reader", ["the writer", "one who knew the record", "one who comes later", "a checkpoint's"])
def test_amendments_are_folded_in(reader: str, folder: Path, store: Store, make_record: Callable[..., Record]) -> None:
    """An amend row prices its record in totals and records(); it is no row of its own, and the last one holds."""
    first, second = make_record(input_tokens=5, total_tokens=5), make_record(cost_usd=Decimal(1))
    store.append(first)
    store.append(second)
    other = Store(folder, print)
    if reader != "one who comes later":
        assert other.totals().sums().unpriced_calls == 1
        other.checkpoint(force=reader == "a checkpoint's")
    for cost in (Decimal(9), Decimal(2)):
        store.append(make_record(kind="amend", id=new_id(), ref=first.id, cost_usd=cost, price_source="late"))
    readers = {"the writer": store, "one who knew the record": other}
    asked = readers.get(reader) or Store(folder, print)
    sums = asked.totals().sums()
    assert (sums.calls, sums.unpriced_calls, sums.priced_calls, sums.priced_tokens) == (2, 0, 2, 5)
    assert sums.cost_usd == 3
    assert [(one.id, one.cost_usd, one.price_source) for one in asked.records()] == [
        (first.id, 2, "late"),
        (second.id, 1, None),
    ]
    assert [one.cost_usd for one in asked.totals().recent] == [2, 1]


def count_and_keep(store: Store) -> None:
    assert store.totals().sums().calls == 1
    store.checkpoint(force=True)


@pytest.mark.parametrize("kept", ["before", "after", "between two"])
def test_amendments_beside_a_checkpoint(
    kept: str, folder: Path, store: Store, make_record: Callable[..., Record]
) -> None:
    """Whether a checkpoint was kept before an amendment or after it: who reads records finds it."""
    record = make_record(input_tokens=5)
    store.append(record)
    for cost in (Decimal(9), Decimal(2)):
        if kept == "before" or (kept == "between two" and cost == 2):
            count_and_keep(store)
        store.append(make_record(kind="amend", id=new_id(), ref=record.id, cost_usd=cost, price_source="late"))
    if kept == "after":
        count_and_keep(store)
    assert (folder / CHECKPOINT_NAME).exists()
    for reader in (store, Store(folder, print)):
        assert [one.cost_usd for one in reader.records()] == [2]
        assert reader.totals().sums().cost_usd == 2


def test_amendments_of_old_and_new_records_in_one_go(
    folder: Path, store: Store, make_record: Callable[..., Record]
) -> None:
    """Whatever the order of the amendments, each changes its own record from what it was counted as."""

    def amend(record: Record, *costs: int) -> None:
        for cost in costs:
            store.append(make_record(kind="amend", id=new_id(), ref=record.id, cost_usd=Decimal(cost)))

    old, new = make_record(id=new_id(), cost_usd=Decimal(7)), make_record(id=new_id(), cost_usd=Decimal(7))
    store.append(old)
    count_and_keep(store)
    reader = Store(folder, print)  # knows the old record from the checkpoint only
    amend(old, 1)
    assert reader.totals().sums().cost_usd == 1
    store.append(new)
    amend(new, 2)
    amend(old, 3)
    amend(new, 4)
    amend(old, 5)
    (folder / CHECKPOINT_NAME).unlink()
    for asked in (reader, Store(folder, print)):
        assert asked.totals().sums().cost_usd == 9
        assert [one.cost_usd.sum for one in asked.totals().measures.values()] == [9]


def test_amendments_that_wait_are_folded_in(path: Path, store: Store, make_record: Callable[..., Record]) -> None:
    """The same holds from memory, where the file can't be written."""
    path.write_text("not ours")
    record = make_record(input_tokens=5)
    store.append(record)
    store.append(make_record(kind="amend", ref=record.id, cost_usd=Decimal(2), price_source="late"))
    assert [(one.id, one.cost_usd) for one in store.records()] == [(record.id, 2)]
    sums = store.totals().sums()
    assert (sums.calls, sums.unpriced_calls, sums.cost_usd) == (1, 0, 2)


def test_an_amendment_that_waits_for_a_record_in_the_file(
    path: Path, store: Store, make_record: Callable[..., Record]
) -> None:
    """And where the record is in the file already, and its amendment can't be written yet."""
    record = make_record(input_tokens=5)
    store.append(record)
    assert store.totals().sums().unpriced_calls == 1
    assert store.journal._file.acquire(1)
    try:
        store.append(make_record(kind="amend", ref=record.id, cost_usd=Decimal(2)))
        assert store.waiting == 1
        assert [one.cost_usd for one in store.records()] == [2]
        assert store.totals().sums().cost_usd == 2
    finally:
        store.journal._file.release()
    store.flush()
    assert store.totals().sums().cost_usd == 2


def test_an_amendment_of_nothing(store: Store, make_record: Callable[..., Record]) -> None:
    """An amend row whose record is not there changes nothing."""
    store.append(make_record(cost_usd=Decimal(1)))
    store.append(make_record(kind="amend", ref=new_id(), cost_usd=Decimal(5)))
    assert store.totals().sums().cost_usd == 1
    assert len(list(store.records())) == 1


def test_totals_are_the_askers_own(store: Store, make_record: Callable[..., Record]) -> None:
    """Totals that were handed out stay as they were while the history grows."""
    store.append(make_record(input_tokens=1))
    totals = store.totals()
    store.append(make_record(input_tokens=1))
    assert store.totals().sums().calls == 2
    assert totals.sums().calls == 1
    assert len(totals.recent) == 1


def test_lines_that_are_no_records_are_passed_over(
    path: Path, store: Store, make_record: Callable[..., Record]
) -> None:
    """A line that is no record hides no other."""
    good = [encode(make_record(input_tokens=1)) for _ in range(2)]
    path.write_bytes(b"[\n" + b",\n".join([good[0], b'{"a":1}', b'"text"', b"", b'{"v":1,', good[1]]) + b"\n]\n")
    assert store.totals().sums().calls == 2
    assert len(list(store.records())) == 2
