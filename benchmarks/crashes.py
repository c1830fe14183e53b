"""Does the history lose anything when what writes it is killed? Prints its seed; exits with 1 if it does.

appends   a process appends rows of all sizes, beside another one that does so all the time, and is killed (SIGKILL) at
          a random moment, --kills times. A row is acknowledged when its id has come through a pipe, which the process
          writes after the append has returned. Every acknowledged row must be in the file, once.
rewrites  a process archives old months, forgets a user or replaces old rows by their sums, while another one appends,
          and is killed at a random moment, --rewrites times. Every acknowledged row must be in the file or in the
          archive, once, but for those of the user who is forgotten, and those that became sums.

python benchmarks/crashes.py [--kills 1000] [--rewrites 300] [--seed N]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from nbtokens.history import parquet, upkeep
from nbtokens.history.store import Store
from nbtokens.history.sums import of_rollup
from nbtokens.record import Record, new_id

if TYPE_CHECKING:
    from collections.abc import Callable

assert parquet  # loaded here, so that no process begins with that
ID = len(new_id()) + 1
NOW = datetime(2026, 11, 20, tzinfo=UTC)
OLD = NOW - timedelta(days=100)
FRESH_EVERY = 20


def quiet(folder: Path) -> Store:
    """A history; what it tells of torn ends is not of interest here."""
    return Store(folder, [].append)


class Process:
    """A forked process that does something, and the ids that it has acknowledged."""

    def __init__(self, work: Callable[[Callable[[str], None]], None]) -> None:
        self._reads, writes = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            os.close(self._reads)
            try:
                work(lambda acknowledged: os.write(writes, acknowledged.encode() + b"\n") and None)
            finally:
                os._exit(0)
        os.close(writes)
        os.set_blocking(self._reads, False)
        self._got = b""

    def read(self) -> list[str]:
        """The ids that came since the last time."""
        try:
            while part := os.read(self._reads, 1 << 16):
                self._got += part
        except BlockingIOError:
            pass
        whole = len(self._got) // ID * ID
        ids, self._got = self._got[:whole].decode().split(), self._got[whole:]
        return ids

    def wait(self, seconds: float) -> None:
        """Wait for its end, but no longer than so."""
        deadline = time.monotonic() + seconds
        while (
            time.monotonic() < deadline and os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        ):
            time.sleep(0.0005)

    def kill(self) -> list[str]:
        """Kill it; the last ids that came."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        ids = self.read()
        assert not self._got, self._got  # a write to a pipe comes whole
        os.close(self._reads)
        return ids


def row(chance: random.Random, user: str = "ada", at: datetime | None = None) -> Record:
    """A row of any size, up to some pages of the file."""
    text = "x" * int(chance.paretovariate(0.5) % 9000)
    return Record(
        v=1, kind="call", id=new_id(), started_at=at or datetime.now(UTC), user=user, operation=text, input_tokens=1
    )


def appending(folder: Path, seed: float, pause: float = 0) -> Callable[[Callable[[str], None]], None]:
    """Append as long as one lives."""

    def work(acknowledge: Callable[[str], None]) -> None:
        store, chance = quiet(folder), random.Random(seed)
        while True:
            record = row(chance)
            store.append(record)
            if not store.waiting:
                acknowledge(record.id)
            if pause:
                time.sleep(pause)

    return work


def ids_in(folder: Path) -> list[str]:
    """The ids of the file, read by whoever may read JSON; nobody may append meanwhile."""
    quiet(folder).append(row(random.Random(0)))  # which makes a torn end whole
    return [found["id"] for found in json.loads((folder / "usage_history.json").read_bytes())]


def check(what: str, told: set[str], ids: list[str]) -> None:
    """Stop where a row is lost, or doubled."""
    lost = told - set(ids)
    doubled = [one for one, count in Counter(ids).items() if count > 1]
    if lost or doubled:
        sys.exit(f"{what}: {len(lost)} of {len(told)} acknowledged rows lost {sorted(lost)}, doubled: {doubled}")


def appends(folder: Path, count: int, chance: random.Random) -> None:
    """Kill who appends."""
    told = set[str]()
    beside = Process(appending(folder, chance.random(), pause=0.001))
    for number in range(count):
        process = Process(appending(folder, chance.random()))
        time.sleep(chance.choice((0.001, 0.005, 0.02)) * chance.random())
        told.update(process.kill(), beside.read())
        if number % FRESH_EVERY == 0:
            quiet(folder).append(row(random.Random(0)))  # what a kill has torn is set aside
            check(f"after {number + 1} kills", told, [record.id for record in quiet(folder).records()])
    told.update(beside.kill())
    ids = ids_in(folder)
    check("at the end", told, ids)
    torn = len(list(folder.glob("usage_history.torn-*")))
    print(f"{count:,} x kill -9 of who appends: 0 of {len(told):,} acknowledged rows lost, none doubled; {torn} torn")


def rewrites(root: Path, count: int, chance: random.Random) -> None:
    """Kill who writes the history anew."""
    done: Counter[str] = Counter()
    rows: dict[str, Record] = {}
    rolled = 0
    for number in range(count):
        folder = root / str(number // FRESH_EVERY)
        if number % FRESH_EVERY == 0:
            rows, rolled = {}, 0
        store = quiet(folder)
        for _ in range(30):
            record = row(chance, chance.choice(("ada", "bob")), chance.choice((OLD, NOW)))
            store.append(record)
            rows[record.id] = record
        what = chance.choice(("archive", "archive", "forget", "keep"))
        beside, process = Process(appending(folder, chance.random(), pause=0.001)), Process(_rewriting(folder, what))
        process.wait(chance.random() * (0.6 if what == "archive" else 0.15))
        process.kill()
        time.sleep(0.002)
        told = set(beside.kill())
        ids_in(folder)
        there = list(quiet(folder).records())
        ids = [record.id for record in there]
        sums = sum(of_rollup(record)[0].calls for record in there if record.kind == "rollup")
        chosen = {one.id for one in rows.values() if (one.user == "bob" if what == "forget" else one.started_at == OLD)}
        if what != "archive" and chosen.isdisjoint(ids):  # all of them or none
            rows = {one: rows[one] for one in rows if one not in chosen}
            rolled = rolled + len(chosen) if what == "keep" else sums
            done[f"{what}, to its end"] += 1
        elif what == "archive" and not any(one.started_at == OLD for one in _in_file(folder, rows)):
            done["archive, to its end"] += 1
        check(f"{what} after {number + 1} kills", told | rows.keys(), ids)
        assert sums == rolled, f"{what} after {number + 1} kills: {sums} calls in sums, not {rolled}"
        done[what] += 1
    print(f"{count:,} x kill -9 of who writes anew: no row lost, none doubled; {dict(sorted(done.items()))}")


def _in_file(folder: Path, rows: dict[str, Record]) -> list[Record]:
    found = json.loads((folder / "usage_history.json").read_bytes())
    return [rows[one["id"]] for one in found if one["id"] in rows]


def _rewriting(folder: Path, what: str) -> Callable[[Callable[[str], None]], None]:
    def work(_: Callable[[str], None]) -> None:
        store = quiet(folder)
        if what == "archive":
            upkeep.archive(store, NOW)
        elif what == "forget":
            upkeep.forget(store, upkeep.Choice(user="bob"))
        else:
            upkeep.retain(store, 30, NOW)

    return work


def main() -> None:
    """Kill, and look."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--rewrites", type=int, default=300)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**9)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        appends(Path(name) / "appends", options.kills, random.Random(options.seed))
        rewrites(Path(name), options.rewrites, random.Random(options.seed + 1))


if __name__ == "__main__":
    main()
