"""Replays recorded traffic through real clients, and tells by provider how much of it is recorded rightly.

Each pair of a request and its answer is sent by httpx, httpx2 (sync and async), requests and aiohttp, read at once and
bit by bit, plain and gzipped, whole and in small pieces, under the provider's host name and from a server on this
machine. One that is wrong in any of the ways counts as wrong.

    python benchmarks/replay.py TRAFFIC.jsonl [--ways 48] [--show 20]

A line of the file is an object: `id`, `method`, `url`, `request_body` (or `request_body_b64`), `status`,
`content_type`, `response_headers`, `response_body` (or `response_body_b64`), and `expected`, with its `kind` (`usage`,
`error`, `not_llm`, `no_usage`, `stream_no_usage`, `non_token_units`, `retrieval`, `batch_results`), `provider`,
`model`, `request_model`, `input_tokens`, `output_tokens`, `cached_input_tokens`, `cache_write_tokens`,
`reasoning_tokens`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "replay")]

from pairs import DELIVERIES, Delivery, Pair, some
from replaying import Replay, replaying

if TYPE_CHECKING:
    from collections.abc import Iterable


def trouble_in(replay: Replay, pair: Pair, deliveries: Iterable[Delivery]) -> dict[str, list[str]]:
    """What is wrong with a pair -> the ways to deliver it in which it is."""
    found: dict[str, list[str]] = {}
    for delivery in deliveries:
        try:
            trouble = pair.trouble(replay.send(pair, delivery))
        except Exception as error:  # noqa: BLE001 - it is counted
            trouble = f"{type(error).__name__}: {error}"
        if trouble is not None:
            found.setdefault(trouble, []).append(str(delivery))
    return found


def main() -> int:
    """Replay, and print the rates; the exit code is 1 if anything is wrong."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("traffic", type=Path)
    options.add_argument("--ways", type=int, default=len(DELIVERIES), help="deliveries of each pair")
    options.add_argument("--show", type=int, default=20, help="how many of the wrong ones are shown")
    chosen = options.parse_args()
    pairs = [Pair.of(json.loads(line)) for line in chosen.traffic.open(encoding="utf-8")]
    os.chdir(tempfile.mkdtemp())
    right: Counter[tuple[str, str]] = Counter()
    every: Counter[tuple[str, str]] = Counter()
    shown = 0
    started = time.perf_counter()
    with replaying() as replay:
        for pair in pairs:
            deliveries = DELIVERIES if chosen.ways >= len(DELIVERIES) else some(pair.name, count=chosen.ways)
            found = trouble_in(replay, pair, deliveries)
            for key in ((pair.expected.get("provider") or "-", "all"), ("all", pair.expected["kind"])):
                every[key] += 1
                right[key] += not found
            for trouble, ways in found.items():
                shown += 1
                if shown <= chosen.show:
                    print(f"{pair.name} {pair.expected['kind']} {pair.url[:100]}")
                    print(f"    {trouble}\n    in {len(ways)} ways: {', '.join(ways[:3])}")
    for key in sorted(every):
        print(f"{' '.join(key):40} {right[key]:6} of {every[key]:6} {right[key] / every[key]:8.2%}")
    print(f"{len(pairs)} pairs in {time.perf_counter() - started:.0f} s, {sum(every.values()) // 2} counted")
    return int(right != every)


if __name__ == "__main__":
    sys.exit(main())
