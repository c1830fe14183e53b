"""Many processes on one file: nothing is lost, nothing is mixed, and nobody is blocked for long."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeAlias

import pytest
from ledgers import ROOT

from nbtokens.history.journal import Journal
from nbtokens.record import encode

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from conftest import Ledger
    from opened import Opened

    from nbtokens.record import Record

    AnotherProcess: TypeAlias = Callable[..., AbstractContextManager[subprocess.Popen[str]]]

_HOLDS_THE_LOCK = """
import sys
from pathlib import Path
from nbtokens.history.journal import Journal

lock = Journal(Path(sys.argv[1]))._file
assert lock.acquire(10)
print("ready", flush=True)
sys.stdin.readline()
lock.release()
print("released", flush=True)
sys.stdin.readline()
"""

_FORKS = """
import os, signal, sys, threading, warnings
import nbtokens
from nbtokens.runtime import runtime

nbtokens.record(model="m", input_tokens=1, cost_usd=0)
now = runtime()
locks = {
    "appending": now.store._appending,
    "reading": now.store._reading,
    "runtime": now._lock,
    "session": now.session._lock,
}
held, forked = threading.Event(), threading.Event()

def hold():
    with locks[sys.argv[1]]:
        held.set()
        forked.wait()

threading.Thread(target=hold, daemon=True).start()
held.wait()
warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons advise against what is done here
child = os.fork()
if child == 0:
    signal.alarm(10)
    nbtokens.record(model="m", input_tokens=2, cost_usd=0)
    nbtokens.session().totals
    nbtokens.history().totals
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
forked.set()
nbtokens.record(model="m", input_tokens=4, cost_usd=0)
"""

_FORKS_UNDER_THE_FILE_LOCK = """
import os
from datetime import UTC, datetime
from pathlib import Path
from nbtokens.history.store import Store
from nbtokens.record import Record, new_id

def record(tokens):
    return Record(v=1, kind="call", id=new_id(), started_at=datetime.now(UTC), input_tokens=tokens)

store = Store(Path(".metrics"), print)
store.append(record(1))
assert store.journal._file.acquire(1)
done, tell = os.pipe()
child = os.fork()
if child == 0:
    store.append(record(2))
    os.write(tell, b"%d" % store.waiting)
    while store.waiting:
        store.flush()
    os._exit(0)
assert os.read(done, 1) == b"1"
store.journal._file.release()
assert os.waitpid(child, 0)[1] == 0
store.append(record(4))
assert store.totals().sums().input_tokens == 7
"""


def test_processes_append_at_once(script: Callable[..., str]) -> None:
    """4 x 500 records at once, with somebody who reads all the time: each is there once, each writer's in order.

    Whenever all of them pause, a plain `json.load` finds every record that was appended.
    """
    source = (ROOT / "benchmarks" / "writers.py").read_text()
    said = script(source, "--processes", "4", "--appends", "500", "--pauses", "5")
    assert said == "4 processes: 2,000 records, each once and in order; json.load in 5 pauses\n"


def test_a_reader_is_overtaken(history: Opened, make_record: Callable[..., Record]) -> None:
    """Records that are appended while somebody reads are read whole and in order, or the next time; none is skipped."""
    records = [make_record() for _ in range(4)]
    for record in records[:2]:
        history.store.append(record)
    reading = history.store.journal.read()
    found = [next(reading)]
    for record in records[2:]:
        history.store.append(record)
        found += [line for line in [next(reading, None)] if line is not None]
    found += list(reading)
    assert [line.record for line in found] == records[: len(found)]
    found += history.store.journal.read(found[-1].end)
    assert [line.record for line in found] == records


def test_a_process_killed_with_the_lock_blocks_nobody(
    history: Opened, make_record: Callable[..., Record], another_process: AnotherProcess
) -> None:
    """The lock dies with its process: killed while it held it, the next record is in the file at once."""
    history.store.append(make_record())
    with another_process(_HOLDS_THE_LOCK, history.folder) as process:
        process.kill()
        process.wait()
        history.store.append(make_record())
    assert history.store.waiting == 0
    assert history.store.totals().sums().calls == 2


@pytest.mark.parametrize("by", ["append", "flush"])
def test_a_locked_file_stops_no_call(
    by: str, history: Opened, make_record: Callable[..., Record], another_process: AnotherProcess
) -> None:
    """While another process holds the lock, append returns and the record counts; later it is written, in order."""
    store, records = history.store, [make_record() for _ in range(3)]
    store.append(records[0])
    with another_process(_HOLDS_THE_LOCK, history.folder) as process:
        store.append(records[1])
        assert store.waiting == 1
        assert history.ids() == [records[0].id]
        assert store.totals().sums().calls == 2
        assert list(store.records()) == records[:2]
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("let go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "released\n"
        if by == "flush":
            store.flush()
            assert history.ids() == [record.id for record in records[:2]]
        store.append(records[2])
    assert history.ids() == [record.id for record in records]
    assert store.waiting == 0
    assert store.totals().sums().calls == 3
    assert history.told == []


def _remove_the_folder(folder: Path) -> None:
    shutil.rmtree(folder)


def _remove_the_file(folder: Path) -> None:
    (folder / "usage_history.json").unlink()


def _replace_the_file(folder: Path) -> None:
    """As editors save, and as every rewrite of ours does."""
    path = folder / "usage_history.json"
    shutil.copy(path, folder / "copy")
    (folder / "copy").replace(path)


@pytest.mark.parametrize("remove", [_remove_the_folder, _remove_the_file, _replace_the_file])
def test_one_lock_for_all(remove: Callable[[Path], None], folder: Path, make_record: Callable[..., Record]) -> None:
    """When somebody replaces the file, writers that had it open hold off those that open it anew, and others."""
    one, other, third = Journal(folder), Journal(folder), Journal(folder)
    for journal in (one, other):
        assert journal.append([encode(make_record())])
    remove(folder)
    assert third.append([encode(make_record())])
    before = len(list(third.read()))
    assert third._file.acquire(1)
    try:
        assert not one.append([encode(make_record())])
        assert not other.append([encode(make_record())])
    finally:
        third._file.release()
    for journal in (one, other):
        assert journal.append([encode(make_record())])
    assert len(list(third.read())) == before + 2


@pytest.mark.parametrize("lock", ["appending", "reading", "runtime", "session"])
def test_fork_while_a_thread_works(lock: str, ledger: Ledger, script: Callable[..., str]) -> None:
    """A child that was forked while one of the parent's threads held a lock records and reads all the same."""
    script(_FORKS, lock)
    found = ledger.rows()
    assert [row["input_tokens"] for row in found] == [1, 2, 4]
    assert len({row["id"] for row in found}) == 3


def test_fork_under_the_file_lock(ledger: Ledger, script: Callable[..., str]) -> None:
    """A child that was forked while its parent held the file's lock does not take the lock for its own."""
    script(_FORKS_UNDER_THE_FILE_LOCK)
    assert [row["input_tokens"] for row in ledger.rows()] == [1, 2, 4]


def test_threads_of_one_process(history: Opened, make_record: Callable[..., Record]) -> None:
    """8 threads that append at once lose nothing."""
    records = [make_record() for _ in range(400)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(history.store.append, records))
    assert {row["id"] for row in history.rows()} == {record.id for record in records}
    assert history.store.totals().sums().calls == 400
