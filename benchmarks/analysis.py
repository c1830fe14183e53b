"""What questions to a long history cost, each figure beside its floor and its bound, in one run.

A history of --records is made up: a hundred days, models of several providers, many requests sent before, shared
prefixes, failures, cut off answers. Each question is asked in a process of its own, as a command. The floor is
reading the file with a narrow decoder (msgspec, a few fields of each line), in a process of its own too.

stats      tokens and speeds, from totals (their checkpoint is there, as after any session)
stats day  by day, from totals
stats cell by notebook and cell, which only the records can tell
cost       sums, forecast, and every saving, duplicates among them
check      every flag
validate   regression over the latest 50,000 calls
what-if    all calls, as two other models would have priced them

python benchmarks/analysis.py [--records 1000000] [--only stats cost ...]
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from long_history import NAME, write_history

from nbtokens.history.store import Store
from nbtokens.record import Record, new_id

BEGAN = datetime(2026, 8, 1, tzinfo=UTC)
MODELS = (
    ("openai", "gpt-5-mini", "0.25", "2"),
    ("openai", "gpt-5", "1.25", "10"),
    ("anthropic", "claude-sonnet-4-5", "3", "15"),
    ("openai", "text-embedding-3-small", "0.02", "0"),
)
QUESTIONS = {
    "stats": ("stats", "1"),
    "stats day": ("stats --by day", "1"),
    "stats cell": ("stats --by cell", ""),
    "cost": ("cost", "5"),
    "cost user": ("cost --user user_1", ""),
    "check": ("check", ""),
    "validate": ("validate", ""),
    "what-if": ("whatif gpt-5-nano claude-haiku-4-5", ""),
}

USED = """
import re, resource
used = resource.getrusage(resource.RUSAGE_SELF)
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
print(used.ru_utime + used.ru_stime, peak / 1024)
"""

ASKS = f"""
import contextlib, io, sys
from nbtokens.cli import main
with contextlib.redirect_stdout(io.StringIO()):
    main(sys.argv[1].split())
{USED}
"""

FLOOR = f"""
import sys, msgspec
from decimal import Decimal
class Narrow(msgspec.Struct, gc=False):
    id: str
    request_hash: str | None = None
    prefix_hash: str | None = None
    cost_usd: Decimal | None = None
    model: str | None = None
    status: str | None = None
decode = msgspec.json.Decoder(list[Narrow]).decode
rest = b""
with open(sys.argv[1], "rb", buffering=0) as file:
    file.read(2)
    while part := file.read(1 << 20):
        whole, comma, left = (rest + part).rpartition(b",\\n")
        rest = left if comma else rest + part
        decode(b"[" + whole + b"]")
    decode(b"[" + rest.removesuffix(b"\\n]\\n") + b"]")
{USED}
"""


def record_of(number: int, count: int, chance: random.Random) -> Record:
    """A made-up call."""
    provider, model, input_price, output_price = MODELS[chance.choices(range(4), (6, 2, 2, 2))[0]]
    embeds = model.startswith("text-embedding")
    read, written = int(chance.lognormvariate(7, 1)), 0 if embeds else int(chance.lognormvariate(5.5, 1))
    at = BEGAN + timedelta(days=100) * (number / count)
    notebook = chance.randrange(60)
    failed, ceiling = chance.random() < 0.01, chance.choice([256, 1024, 4096])
    written = min(written, ceiling)
    request = chance.randrange(count * 2 // 3) if chance.random() < 0.6 else number + count
    sent, got = Decimal(read) * Decimal(input_price) / 10**6, Decimal(written) * Decimal(output_price) / 10**6
    finish = None if embeds else "length" if written >= ceiling else "stop"
    return Record(
        v=1, kind="call", id=new_id(at.timestamp()), started_at=at, project="research", host="lab-1",
        user=f"user_{notebook % 7}", session=f"session-{number * 300 // count:04d}-{notebook:02d}",
        run_id=f"run-{number * 40 // count}", notebook=f"notebooks/study_{notebook:02d}.ipynb",
        cell=f"cell-{chance.randrange(12):02d}", execution_count=number % 90, attribution="exact",
        operation=f"operation_{notebook % 10}", tags={"team": f"team_{notebook % 4}"} if notebook % 3 == 0 else None,
        call_type="embeddings" if embeds else "chat", api="openai.chat", provider=provider,
        server_address=f"api.{provider}.com", request_model=model, model=model, response_id=f"c-{number:010x}",
        max_tokens=None if embeds else ceiling, finish_reason=finish,
        stream=chance.random() < 0.3, input_tokens=read, output_tokens=written,
        total_tokens=read + written, usage_source="reported", complete=True,
        usage={"prompt_tokens": read, "completion_tokens": written}, status="error" if failed else "ok",
        http_status=500 if failed else 200, error="HTTP 500" if failed else None,
        duration_s=round(0.3 + written * chance.lognormvariate(-4.5, 0.3), 6), time_to_first_chunk_s=0.25,
        request_hash=f"{request:032x}", prefix_hash=f"{request % 3000:032x}", input_cost_usd=sent,
        output_cost_usd=got, cost_usd=sent + got, price_source="genai-prices 0.2.3",
    )  # fmt: skip


def make_history(folder: Path, count: int) -> None:
    """A history of so many records, with the checkpoint that a session leaves."""
    chance = random.Random(1)
    write_history(folder, (record_of(number, count, chance) for number in range(count)))
    store = Store(folder, print)
    store.view(lambda totals: totals.sums())
    store.checkpoint(force=True)


def in_a_process(script: str, folder: Path, words: str) -> tuple[float, float]:
    """CPU seconds and peak MB of a process."""
    done = subprocess.run(
        [sys.executable, "-c", script, words],
        env={**os.environ, "NBTOKENS_DIR": str(folder)}, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    cpu, peak = map(float, done.stdout.split())
    return cpu, peak


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=tuple(QUESTIONS), default=tuple(QUESTIONS))
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the history is made, and kept; one that is there is used")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name) / "history"
        if not (folder / NAME).exists():
            make_history(folder, options.records)
        floors = [in_a_process(FLOOR, folder, str(folder / NAME)) for _ in range(options.repeat)]
        floor = statistics.median(cpu for cpu, _ in floors)
        print(f"{'CPU seconds, peak MB':24s} {'floor':>20s} {'nbtokens':>20s} {'ratio':>8s}  bound at 1,000,000")
        for what in options.only:
            words, bound = QUESTIONS[what]
            taken = [in_a_process(ASKS, folder, words) for _ in range(options.repeat)]
            cpu, peak = statistics.median(one for one, _ in taken), max(one for _, one in taken)
            print(
                f"{what:24s} {f'{floor:.2f} s, {floors[0][1]:.0f} MB':>20s} {f'{cpu:.2f} s, {peak:.0f} MB':>20s} "
                f"{cpu / floor:>8.2f}  {f'<= {bound} s' if bound else ''}",
                flush=True,
            )


if __name__ == "__main__":
    main()
