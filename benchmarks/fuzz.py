"""Bodies that no provider sends, by the hundred thousand: none raises, none hangs, none makes the process grow.

Made from the catalogue of the tests: bits are flipped, parts cut off, left out, doubled, values change their type,
numbers are huge, brackets deep, frames lie about their length. Each is read as the meter reads it, counting included.

    python benchmarks/fuzz.py [--count 100000] [--seed 0] [--seconds 5.0]
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "formats")]

from catalogue.mutations import mutated
from test_catalogue import exchange_of

from nbtokens.guard import guarded
from nbtokens.record import decode, encode
from nbtokens.runtime import runtime

MOST_GROWTH_MB = 100
HANGS_AFTER = 60


def memory_mb() -> float:
    """The largest that this process has been."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Read them all, and print what came of it; the exit code is 1 if anything is wrong."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--count", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--seconds", type=float, default=5.0, help="how long reading one may take")
    chosen = options.parse_args()
    os.chdir(tempfile.mkdtemp())
    meter = runtime().meter
    meter.wait_for_prices(10)
    results: Counter[str] = Counter()
    slowest, before = 0.0, 0.0
    for number, (case, body) in enumerate(mutated(chosen.count, chosen.seed)):
        faulthandler.dump_traceback_later(HANGS_AFTER, exit=True)
        started = time.perf_counter()
        try:
            record = meter.to_record(exchange_of(case, body))
            if record is not None:
                decode(encode(record))
            results[record.usage_source if record else "no record"] += 1
        except Exception as error:  # noqa: BLE001 - it is counted
            results["raised"] += 1
            print(f"{case.name}: {type(error).__name__}: {error}: {body[:200]!r}")
        took = time.perf_counter() - started
        slowest = max(slowest, took)
        if took > chosen.seconds:
            results["slow"] += 1
            print(f"{case.name}: {took:.2f} s: {body[:100]!r}... {len(body)} bytes")
        if number == chosen.count // 10:
            before = memory_mb()
    faulthandler.cancel_dump_traceback_later()
    growth = memory_mb() - before
    print(f"{dict(results)}; slowest {slowest * 1000:.0f} ms; grown by {growth:.0f} MB after the first tenth")
    print(f"swallowed by the guard: {guarded.failures}", *guarded.last_tracebacks)
    return int(bool(results["raised"] or results["slow"] or guarded.failures) or growth > MOST_GROWTH_MB)


if __name__ == "__main__":
    sys.exit(main())
