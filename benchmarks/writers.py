"""Do many processes share one history? Exits with 1 if a record is lost, doubled, mixed up or out of order.

--processes of them append --appends records each, as fast as they can, while one more keeps reading through nbtokens:
what it sees is whole and never less than before. --pauses times all of them pause together, each after the same number
of records, and the file is read with a plain `json.load`: it is valid, and holds every record that was appended.

python benchmarks/writers.py [--processes 8] [--appends 10000] [--pauses 20]
"""

from __future__ import annotations

import argparse
import json
import select
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from nbtokens.history.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

APPENDS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from nbtokens.history.store import Store
from nbtokens.record import Record, new_id

folder, name, ends = Path(sys.argv[1]), sys.argv[2], set(map(int, sys.argv[3:]))
store = Store(folder, print)
for number in range(max(ends) + 1):
    if number in ends:
        while store.waiting:
            store.flush()
        print("paused", flush=True)
        sys.stdin.readline()
    at = datetime.now(UTC)
    if number < max(ends):
        store.append(Record(v=1, kind="call", id=new_id(), started_at=at, operation=name, input_tokens=number))
"""


def calls_of(store: Store) -> int:
    """How many calls there are, as nbtokens says."""
    return store.view(lambda totals: totals.sums()).calls


def json_of(store: Store) -> list[dict[str, Any]]:
    """The file's records, as anybody reads them."""
    with store.journal.path.open() as file:
        rows: list[dict[str, Any]] = json.load(file)
    return rows


def until_all_pause(outputs: Sequence[IO[str]]) -> Iterator[None]:
    """Gives control back again and again, until every process has said that it pauses."""
    missing = list(outputs)
    while missing:
        for output in select.select(missing, [], [], 0)[0]:
            assert output.readline() == "paused\n", "a process has ended"
            missing.remove(output)
        yield


def run(folder: Path, processes: int, appends: int, pauses: int) -> int:
    """Let them append; how many records there are in the end.

    Raises:
        AssertionError: something is wrong with them.
    """
    names = [f"writer {number}" for number in range(processes)]
    ends = sorted({appends * number // pauses for number in range(pauses + 1)})
    running = [
        subprocess.Popen(
            [sys.executable, "-c", APPENDS, folder, name, *map(str, ends)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) for name in names
    ]  # fmt: skip
    store, seen = Store(folder, print), 0
    try:
        for end in ends:
            for _ in until_all_pause([process.stdout for process in running if process.stdout is not None]):
                now = calls_of(store)
                assert seen <= now <= processes * end, (seen, now, end)
                seen = now
            assert calls_of(store) == processes * end
            assert not end or len(json_of(store)) == processes * end
            for process in running:
                assert process.stdin is not None
                process.stdin.write("go on\n")
                process.stdin.flush()
    finally:
        for process in running:
            process.communicate()
    rows = json_of(store)
    assert len({row["id"] for row in rows}) == len(rows) == processes * appends
    for name in names:
        assert [row["input_tokens"] for row in rows if row["operation"] == name] == list(range(appends)), name
    assert {name: sums.calls for name, sums in store.totals().by("operation").items()} == dict.fromkeys(names, appends)
    assert not list(folder.glob("usage_history.torn-*"))
    return len(rows)


def main() -> None:
    """Let them append, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--appends", type=int, default=10_000)
    parser.add_argument("--pauses", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        rows = run(Path(name) / "shared", options.processes, options.appends, options.pauses)
    print(
        f"{options.processes} processes: {rows:,} records, each once and in order; json.load in {options.pauses} pauses"
    )


if __name__ == "__main__":
    main()
