"""Many calls at once, of tasks and of threads: each is one record, at its place."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import TYPE_CHECKING, Final

from clients import MESSAGES, SDKS, STREAMING_SDKS, Client, Sdk

import nbtokens
from nbtokens.demo.simulated_text import answer

if TYPE_CHECKING:
    from ledgers import Ledger

    from nbtokens.demo.endpoint import Endpoint

CHAT: Final = {str(sdk): sdk for sdk in SDKS}["openai.chat-sync"]
ASYNC_CHAT: Final = {str(sdk): sdk for sdk in SDKS}["openai.chat-async"]
ASYNC_MESSAGES: Final = {str(sdk): sdk for sdk in STREAMING_SDKS}["anthropic.messages-async"]
TASKS: Final = 32
THREADS: Final = 8
CALLS: Final = 5


async def ask(sdk: Sdk, client: Client, number: int) -> None:
    """One call, every other one streamed, in an operation of its own."""
    with nbtokens.operation(f"task {number}", number=number) as op:
        if number % 2:
            async for _ in await sdk.ask(client, stream=True):
                await asyncio.sleep(0)
        else:
            await sdk.ask(client)
        assert op.calls == 1


async def test_tasks(simulated: Endpoint, recording: Ledger) -> None:
    """32 concurrent calls of two SDKs, plain and streamed: 32 records, each under its own operation."""
    async with (
        ASYNC_CHAT.client(simulated.base_url) as gpt,
        ASYNC_MESSAGES.client(simulated.base_url) as claude,
    ):
        both = [(ASYNC_CHAT, gpt), (ASYNC_MESSAGES, claude)]
        await asyncio.gather(*(ask(*both[number // 2 % 2], number) for number in range(TASKS)))
    rows = recording.rows()
    assert Counter(row["operation"] for row in rows) == Counter(f"task {number}" for number in range(TASKS))
    assert all(row["operation"] == f"task {row['tags']['number']}" for row in rows)
    assert all(row["stream"] is bool(row["tags"]["number"] % 2) for row in rows)
    assert len({row["id"] for row in rows}) == TASKS
    output = answer(MESSAGES[0]["content"], None).output_tokens
    assert sum(row["output_tokens"] for row in rows if row["usage_source"] == "reported") % output == 0
    assert nbtokens.session().sums.calls == nbtokens.history().sums.calls == TASKS


def test_threads(simulated: Endpoint, recording: Ledger) -> None:
    """8 threads with calls one after another, and one client for all: one record each, under the thread's operation.

    The operation that they were started in counts them too.
    """

    def work(number: int) -> None:
        with nbtokens.operation(f"thread {number}") as op:
            for _ in range(CALLS):
                CHAT.ask(client)
            counted.append(op.calls)

    counted: list[int] = []
    with CHAT.client(simulated.base_url) as client, nbtokens.operation("outside") as outside:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    rows = recording.rows()
    assert Counter(row["operation"] for row in rows) == Counter({f"thread {n}": CALLS for n in range(THREADS)})
    assert counted == [CALLS] * THREADS
    assert outside.calls == THREADS * CALLS
    assert len({row["id"] for row in rows}) == THREADS * CALLS
    assert nbtokens.session().sums.calls == nbtokens.history().sums.calls == THREADS * CALLS


async def test_threads_of_a_task(simulated: Endpoint, recording: Ledger) -> None:
    """What `asyncio.to_thread` runs belongs to the operation from which it was called."""
    with CHAT.client(simulated.base_url) as client, nbtokens.operation("outside") as outside:
        await asyncio.gather(*(asyncio.to_thread(CHAT.ask, client) for _ in range(THREADS)))
    assert outside.calls == THREADS
    assert {row["operation"] for row in recording.rows()} == {"outside"}


def test_switching_while_calls_are_made(simulated: Endpoint, recording: Ledger) -> None:
    """Recording may be switched off and on while other threads call: no call fails, none is recorded twice."""
    stop = threading.Event()
    made: list[int] = []

    def work() -> None:
        with CHAT.client(simulated.base_url) as client:
            while not stop.is_set():
                CHAT.ask(client)
                made.append(1)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(15):
        nbtokens.disable()
        nbtokens.enable()
    while len(made) < 20:
        stop.wait(0.01)
    stop.set()
    for thread in threads:
        thread.join()
    rows = recording.rows()
    assert len({row["response_id"] for row in rows}) == len(rows) <= len(made)
    assert all(row["status"] == "ok" for row in rows)
