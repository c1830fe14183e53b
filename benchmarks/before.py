"""How long an estimate of many rows takes.

    python benchmarks/before.py --rows 1000000

Rows of about 200 characters, all different, are counted as `nbtokens.estimate` counts them. Printed are the seconds
that passed, the processors' seconds, and how much the process has grown by.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import nbtokens

WORDS = (
    "kettle",
    "leaked",
    "after",
    "two",
    "days",
    "nobody",
    "answers",
    "my",
    "letters",
    "please",
    "the",
    "money",
    "back",
)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--model", default="gpt-5-mini")
    arguments = parser.parse_args()
    chance = random.Random(1)
    rows = [f"{n}: {' '.join(chance.choices(WORDS, k=34))}" for n in range(arguments.rows)]
    nbtokens.estimate(rows[:100], model=arguments.model, output=100)  # encoding and prices are loaded
    before = _megabytes()
    began, spent = time.perf_counter(), time.process_time()
    found = nbtokens.estimate(rows, model=arguments.model, output=100, progress=False)
    took, cpu = time.perf_counter() - began, time.process_time() - spent
    characters = sum(map(len, rows)) / len(rows)
    print(f"{len(rows):,} rows of {characters:.0f} characters, {found.input_tokens:,} tokens, {os.cpu_count()} cores")
    print(f"{took:.1f} s, {cpu:.1f} s of processors ({cpu / took:.1f} at a time); {_megabytes() - before:.0f} MB more")


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
