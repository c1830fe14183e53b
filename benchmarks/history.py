"""What the history costs, each figure beside its floor in one run; and whether it loses anything.

append   the median of single appends beside the floor: the same record encoded, a lock, one write over the tail, an
         unlock; in turns, into an empty file and into one of --records
open     opening a history of --records and adding it up, with and without a checkpoint, in a process of its own,
         beside decoding every line of it to a typed record (msgspec), one by one
summary  USAGE_SUMMARY.md after one more call
frame    history().frame() beside pandas.read_json, each in a process of its own
writers  8 processes x --appends, while a ninth keeps reading through nbtokens; in 20 pauses a plain json.load
kills    a process that appends is killed --kills times at a random moment, one that archives, forgets or keeps sums a
         third as often; every record that was acknowledged must be there, once
memory   --calls records in one process: its peak after a tenth of them and after all

python benchmarks/history.py [--only append open ...] [--quick]
"""

from __future__ import annotations

import argparse
import fcntl
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import crashes
import writers
from long_history import write_history

from nbtokens.history.store import Store
from nbtokens.record import Record, encode, new_id

BEGAN = datetime(2025, 1, 1, tzinfo=UTC)
MODELS = (
    ("openai", "gpt-5-mini"),
    ("openai", "gpt-5"),
    ("anthropic", "claude-sonnet-4-5"),
    ("mistral", "mistral-large"),
)

IN_A_PROCESS = """
import gc, resource, sys, time
from pathlib import Path
folder, what = Path(sys.argv[1]), sys.argv[2]
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
if what == "read_json":
    import pandas
else:
    from nbtokens.history.store import Store
    from nbtokens.views import History
    import nbtokens.reports.summary
    if what == "frame":
        import nbtokens.reports.frame
before, wall, cpu = peak(), time.perf_counter(), time.process_time()
if what == "read_json":
    pandas.read_json(folder / "usage_history.json")
elif what == "frame":
    History(Store(folder, print)).frame()
elif what == "decode":
    import msgspec
    from nbtokens.record import Record
    decode = msgspec.json.Decoder(Record).decode
    with (folder / "usage_history.json").open("rb") as file:
        for line in file:
            if line.startswith(b"{"):
                decode(line.rstrip(b",\\n"))
else:
    store = Store(folder, print)
    store.view(lambda totals: totals.sums())
print(time.perf_counter() - wall, time.process_time() - cpu, peak(), before)
if what == "keep":
    store.checkpoint(force=True)
"""


def record_of(number: int, count: int, chance: random.Random) -> Record:
    """A usual row: one of a year's, of four models, ten operations, twelve notebooks."""
    provider, model = MODELS[min(int(chance.expovariate(1)), 3)]
    notebook = int(chance.expovariate(0.5)) % 12
    read, written = int(chance.lognormvariate(6.5, 1.2)), int(chance.lognormvariate(5, 1))
    cost = Decimal(read) * Decimal("0.00000025") + Decimal(written) * Decimal("0.000002")
    at = BEGAN + timedelta(days=365) * number / count
    return Record(
        v=1, kind="call", id=new_id(at.timestamp()), started_at=at, project="reviews", host="ws", user="ada",
        session="0193f8a2-7c1e-7bbb-8000-0123456789ab", notebook=f"n{notebook}.ipynb", cell=f"{notebook * 77:08x}",
        execution_count=number % 200, attribution="exact", operation=f"operation_{(notebook + number % 2) % 10}",
        call_type="chat", api="openai.chat", provider=provider, server_address="api.openai.com", request_model=model,
        model=model, response_id=f"c-{number:010x}", finish_reason="stop", stream=False, input_tokens=read,
        output_tokens=written, total_tokens=read + written, usage_source="reported", complete=True,
        usage={"prompt_tokens": read, "completion_tokens": written}, status="ok", http_status=200,
        duration_s=round(chance.lognormvariate(0.7, 0.8), 6), cost_usd=cost, price_source="genai-prices 0.2.3",
    )  # fmt: skip


def make_history(folder: Path, count: int) -> Path:
    """A history of so many records."""
    chance = random.Random(1)
    write_history(folder, (record_of(number, count, chance) for number in range(count)))
    return folder


def line(what: str, ours: str, floor: str, bound: str) -> None:
    """Print one figure."""
    print(f"{what:44s} {ours:>22s} {floor:>28s}   {bound}", flush=True)


def appends(big: Path, empty: Path, count: int) -> None:
    """Measure single appends in turns: the floor, an empty history, a large one."""
    record = record_of(1, 2, random.Random(2))
    stores = {"0": Store(empty, print), "all": Store(big, print)}
    floor = os.open(empty.with_name("floor.json"), os.O_RDWR | os.O_CREAT)
    os.write(floor, b"[\n" + encode(record) + b"\n]\n")
    at = os.fstat(floor).st_size - 3
    times: dict[str, list[int]] = {"0": [], "all": [], "floor": []}
    for _ in range(count):
        for name, store in stores.items():
            began = time.perf_counter_ns()
            store.append(record)
            times[name].append(time.perf_counter_ns() - began)
        began = time.perf_counter_ns()
        data = b",\n" + encode(record) + b"\n]\n"
        fcntl.flock(floor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.pwrite(floor, data, at)
        fcntl.flock(floor, fcntl.LOCK_UN)
        times["floor"].append(time.perf_counter_ns() - began)
        at += len(data) - 3
    least, none, many = (statistics.median(times[name]) / 1000 for name in ("floor", "0", "all"))
    line("append, empty history", f"{none:.1f} us", f"{least:.1f} us", f"{none / least:.2f} x the floor (<= 2)")
    line("append, large history", f"{many:.1f} us", f"{least:.1f} us", f"{many / none:.2f} x the empty one (<= 1.1)")


def in_a_process(folder: Path, what: str) -> tuple[float, float, float]:
    """Seconds, CPU seconds and peak MB of some work in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS, str(folder), what], stdout=subprocess.PIPE, text=True, check=True
    )
    wall, cpu, peak, _ = map(float, done.stdout.split()[-4:])
    return wall, cpu, peak


def opens(folder: Path) -> None:
    """Measure opening and adding up."""
    (folder / "totals_checkpoint.json").unlink(missing_ok=True)
    decoded, ours = in_a_process(folder, "decode"), in_a_process(folder, "keep")
    floor = f"{decoded[1]:.2f} s, {decoded[2]:.0f} MB"
    times = f"<= 2 s, <= 100 MB; {ours[1] / decoded[1]:.2f} x the floor"
    line("open + totals, no checkpoint, CPU", f"{ours[1]:.2f} s, {ours[2]:.0f} MB", floor, times)
    kept = in_a_process(folder, "totals")
    line("open + totals, with a checkpoint, CPU", f"{kept[1] * 1000:.0f} ms, {kept[2]:.0f} MB", floor, "<= 50 ms")


def summary(folder: Path) -> None:
    """Measure the summary after one more call."""
    from nbtokens.reports.summary import summary_of  # noqa: PLC0415 - measured here only

    store, chance = Store(folder, print), random.Random(3)
    store.view(summary_of)
    times = []
    for _ in range(50):
        store.append(record_of(1, 1, chance))
        began = time.thread_time_ns()
        store.view(summary_of)
        times.append((time.thread_time_ns() - began) / 1e6)
    line("summary after a call, CPU", f"{statistics.median(times):.2f} ms", "", "<= 1 ms")


def frame(folder: Path) -> None:
    """Measure the DataFrame beside pandas' own."""
    theirs, ours = in_a_process(folder, "read_json"), in_a_process(folder, "frame")
    share = f"{ours[1] / theirs[1]:.3f} of the CPU (<= 0.125), {ours[2] / theirs[2]:.2f} of the memory (<= 0.33)"
    line("frame", f"{ours[1]:.1f} s, {ours[2]:,.0f} MB", f"{theirs[1]:.1f} s, {theirs[2]:,.0f} MB", share)


def sharing(folder: Path, count: int) -> None:
    """Let eight processes append while this one reads (see writers.py)."""
    began = time.perf_counter()
    found = writers.run(folder, 8, count, pauses=20)
    took = f"{time.perf_counter() - began:.0f} s, json.load in 20 pauses"
    line("8 processes", f"{found:,} records", f"{8 * count:,} expected", took)


def kills(root: Path, count: int, seed: int) -> None:
    """Kill processes that append, or write the history anew, again and again (see crashes.py)."""
    print(f"seed of the kills: {seed}")
    crashes.appends(root / "killed", count, random.Random(seed))
    crashes.rewrites(root / "rewritten", count // 3, random.Random(seed + 1))


def memory(folder: Path, count: int) -> None:
    """Record many calls in one process."""
    script = (
        "import os, resource, sys, nbtokens\n"
        "count = int(sys.argv[1])\n"
        "for number in range(count):\n"
        "    nbtokens.record(model='m', input_tokens=1, cost_usd=0)\n"
        "    if number == count // 10: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(count)],
        env={**os.environ, "NBTOKENS_DIR": str(folder)}, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    tenth, whole = map(float, done.stdout.split())
    line(f"memory over {count:,} calls", f"{whole:.1f} MB", f"{tenth:.1f} MB after a tenth", "flat")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ("append", "open", "summary", "frame", "writers", "kills", "memory")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--appends", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**9, help="of the kills")
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--quick", action="store_true", help="a twentieth of every size")
    options = parser.parse_args()
    part = 20 if options.quick else 1
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        needs_history = {"append", "open", "summary", "frame"} & set(options.only)
        big = make_history(root / "big", options.records // part) if needs_history else root
        print(f"{'':44s} {'nbtokens':>22s} {'floor':>28s}")
        work = {
            "open": lambda: opens(big),
            "summary": lambda: summary(big),
            "frame": lambda: frame(big),
            "append": lambda: appends(big, root / "empty", 20_000 // part),
            "writers": lambda: sharing(root / "shared", options.appends // part),
            "kills": lambda: kills(root, options.kills // part, options.seed),
            "memory": lambda: memory(root / "memory", options.calls // part),
        }
        for what, measure in work.items():
            if what in options.only:
                measure()


if __name__ == "__main__":
    main()
