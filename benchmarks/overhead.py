"""What nbtokens adds to a call, and to a chunk of a stream, in CPU time.

The same calls to a server on this machine (a process of its own) are made in turns, a few in a row as a notebook makes
them: without nbtokens, without it but with the floor (a hand-written append of one JSON line after each call), with
nbtokens. The turns follow each other in random order, so that what one leaves in the caches is not always to the same
one's favour. `in the path` is the CPU time of the calling thread, the median of single calls (of streams, divided by
their chunks); `behind it` is what other threads of the process used in the meantime (the summary, the totals), the mean
over all calls. Microseconds; compare them within one run only.

After each wait for an answer, the processor's caches hold what others put there, and everything takes several times as
long: the client, the floor, and nbtokens. The line `no network` shows the same work where nobody waits.

    python benchmarks/overhead.py [--calls 1000] [--streams 40] [--chunks 500]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socketserver
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import openai

import nbtokens
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_790_000_000,
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "A sentence of the answer. " * 12},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 100,
        "completion_tokens": 60,
        "total_tokens": 160,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    },
    "service_tier": "default",
    "system_fingerprint": "fp_1",
}
MESSAGES = [{"role": "user", "content": "A sentence of the question. " * 12}]


def chunk(number: int, count: int) -> bytes:
    """One event of the stream; the last one reports the usage."""
    event: dict[str, object] = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_790_000_000,
        "model": "gpt-4o-mini-2024-07-18",
        "service_tier": "default",
        "system_fingerprint": "fp_1",
        "choices": [{"index": 0, "delta": {"content": f" word{number}"}, "logprobs": None, "finish_reason": None}],
        "usage": None,
    }
    if number == count - 1:
        event |= {"choices": [], "usage": ANSWER["usage"]}
    return f"data: {json.dumps(event, separators=(',', ':'))}\n\n".encode()


class Handler(socketserver.StreamRequestHandler):
    """Answers chat completions on a kept connection with bytes that were made beforehand."""

    plain = b""
    streamed = b""

    def handle(self) -> None:
        """Answer until the client closes."""
        while True:
            length = 0
            line = self.rfile.readline()
            if not line:
                return
            while line := self.rfile.readline().strip():
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            body = self.rfile.read(length)
            self.wfile.write(self.streamed if b'"stream":true' in body else self.plain)


def serve(chunks: int) -> None:
    """Run the server until the parent's pipe closes; prints its port."""
    headers = b"HTTP/1.1 200 OK\r\nserver: bench\r\n" + b"".join(b"x-header-%d: value\r\n" % n for n in range(12))
    answer = json.dumps(ANSWER).encode()
    Handler.plain = headers + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(answer) + answer
    events = [chunk(number, chunks) for number in range(chunks)] + [b"data: [DONE]\n\n"]
    body = b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in events) + b"0\r\n\r\n"
    Handler.streamed = headers + b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n" + body
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        print(server.server_address[1], flush=True)
        server.serve_forever()


_TURNS = 50


class Timed:
    """CPU time of the calling thread for single runs, and of all other threads in the meantime, in microseconds."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self.own: list[float] = []
        self.others = 0.0

    def run(self) -> None:
        """Run the work once."""
        everything, own = time.process_time_ns(), time.thread_time_ns()
        self._work()
        own = time.thread_time_ns() - own
        self.others += (time.process_time_ns() - everything - own) / 1000
        self.own.append(own / 1000)


def compare(name: str, work: Callable[[], None], runs: int, parts: int, floor: Path) -> None:
    """Print what nbtokens and the floor add to `work`, for each of its `parts`."""
    descriptor = os.open(floor, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def with_floor() -> None:
        work()
        line = {"model": ANSWER["model"], "usage": ANSWER["usage"], "at": time.time()}
        os.write(descriptor, json.dumps(line).encode() + b"\n")

    meter = runtime().meter
    without, least, ours = Timed(work), Timed(with_floor), Timed(work)
    turns, in_a_row = [without, least, ours], max(runs // _TURNS, 1)
    for _ in range(runs // in_a_row):
        random.shuffle(turns)
        for timed in turns:
            meter.enabled = timed is ours
            for _ in range(in_a_row):
                timed.run()
    base = statistics.median(without.own) / parts
    floor_added = statistics.median(least.own) / parts - base
    added = statistics.median(ours.own) / parts - base
    behind = (ours.others - without.others) / runs / parts
    print(f"{name:28s} {base:10.1f} {floor_added:+10.2f} {added:+12.2f} {behind:+10.2f} {(base + added) / base:8.3f}")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--streams", type=int, default=40)
    parser.add_argument("--chunks", type=int, default=500)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.chunks)
        return
    command = [sys.executable, str(Path(__file__).absolute()), "--serve", "--chunks", str(options.chunks)]
    with (
        tempfile.TemporaryDirectory() as name,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
    ):
        folder = Path(name)
        try:
            assert server.stdout is not None
            address = f"127.0.0.1:{int(server.stdout.readline())}"
            # So that the calls are priced, as calls to the provider itself would be.
            (folder / "nbtokens.toml").write_text(f'[hosts."{address}"]\nprovider = "openai"\n', encoding="utf-8")
            os.chdir(folder)
            measure(f"http://{address}/v1", options, folder / "floor.jsonl")
        finally:
            nbtokens.disable()  # nothing is written into the folder any more
            server.kill()


def measure(url: str, options: argparse.Namespace, floor: Path) -> None:
    """Compare plain calls and streams, through openai's client and through httpx2 alone."""
    client = openai.OpenAI(base_url=url, api_key="none")
    bare = httpx2.Client(base_url=url)
    body = {"model": "gpt-4o-mini", "messages": MESSAGES}
    streamed = {**body, "stream": True, "stream_options": {"include_usage": True}}

    def plain() -> None:
        client.chat.completions.create(**body)

    def stream() -> None:
        for _ in client.chat.completions.create(**streamed):
            pass

    def plain_bare() -> None:
        bare.post("/chat/completions", json=body).json()

    def stream_bare() -> None:
        with bare.stream("POST", "/chat/completions", json=streamed) as response:
            for _ in response.iter_bytes():
                pass

    no_network = httpx2.Client(
        base_url=url, transport=httpx2.MockTransport(lambda _: httpx2.Response(200, content=answer))
    )
    answer = json.dumps(ANSWER).encode()

    def plain_no_network() -> None:
        no_network.post("/chat/completions", json=body).json()

    nbtokens.enable()
    plain()
    runtime().meter.wait_for_prices(10)
    heads = f"{'without':>10s} {'floor':>10s} {'in the path':>12s} {'behind it':>10s} {'ratio':>8s}"
    print(f"{'CPU, microseconds':28s} {heads}")
    compare("a plain call, openai", plain, options.calls, 1, floor)
    compare("a plain call, httpx2", plain_bare, options.calls, 1, floor)
    compare("the same, no network", plain_no_network, options.calls, 1, floor)
    compare("a streamed chunk, openai", stream, options.streams, options.chunks, floor)
    compare("a streamed chunk, httpx2", stream_bare, options.streams, options.chunks, floor)


if __name__ == "__main__":
    main()
