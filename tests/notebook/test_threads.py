"""Threads, pools of threads and executors: their calls belong to where the work was handed over."""

from __future__ import annotations

import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from decimal import getcontext, localcontext
from multiprocessing.pool import ThreadPool
from typing import TYPE_CHECKING, Any

import pytest

import nbtokens
from nbtokens.context import own_place
from nbtokens.workers.carried import carry

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Ledger
    from running import Shell


def places(ledger: Ledger) -> list[tuple[int | None, str, str | None]]:
    """Cell, attribution and operation of each row."""
    return [(row.get("execution_count"), row["attribution"], row.get("operation")) for row in ledger.rows()]


@pytest.mark.parametrize(
    "start",
    [
        "thread = threading.Thread(target=ask); thread.start(); thread.join()",
        "thread = threading.Timer(0, ask); thread.start(); thread.join()",
        "class Own(threading.Thread):\n    def run(self):\n        ask()\nown = Own(); own.start(); own.join()",
        "thread = threading.Thread(target=lambda: later(ask)); thread.start(); thread.join()",
        "futures.ThreadPoolExecutor(1).submit(ask).result()",
        "list(futures.ThreadPoolExecutor(1).map(ask, 'a'))",
        "with pool.ThreadPool(1) as threads:\n    threads.map(ask, 'a')",
        "with pool.ThreadPool(1) as threads:\n    threads.apply(ask)",
        "with pool.ThreadPool(1) as threads:\n    list(threads.imap(ask, 'a'))",
        "with pool.ThreadPool(1) as threads:\n    list(threads.imap_unordered(ask, 'a', chunksize=2))",
        "with pool.ThreadPool(1) as threads:\n    threads.starmap_async(ask, [('a',)]).get()",
        "import asyncio\nawait asyncio.to_thread(ask)",
        "import asyncio\nawait asyncio.get_running_loop().run_in_executor(None, ask)",
        "import anyio\nawait anyio.to_thread.run_sync(ask)",
        "import joblib\njoblib.Parallel(2, backend='threading')([joblib.delayed(ask)('a')])",
    ],
)
def test_ways_to_a_thread(start: str, shell: Shell, ledger: Ledger) -> None:
    """Whatever the thread is made with, its calls belong to the cell and operation, also once both have ended."""
    shell(
        "import threading\nfrom concurrent import futures\nfrom multiprocessing import pool\n"
        "def later(function):\n    thread = threading.Thread(target=function); thread.start(); thread.join()"
    )
    lines = "\n".join("    " + line for line in start.splitlines())
    ran = shell(f"import nbtokens\nwith nbtokens.operation('name') as op:\n{lines}\nop.calls")
    assert ran.value == 1
    assert places(ledger) == [(ran.number, "exact", "name")]


def test_a_thread_that_outlives_its_cell(shell: Shell, ledger: Ledger) -> None:
    """A call that a thread makes while a later cell runs belongs to the cell that started the thread."""
    started = shell(
        "import threading\ngo = threading.Event()\n"
        "thread = threading.Thread(target=lambda: (go.wait(20), ask())); thread.start()"
    )
    shell("go.set(); thread.join(); ask()")
    assert [row[:2] for row in places(ledger)] == [(started.number, "exact"), (started.number + 1, "exact")]


@pytest.mark.parametrize(
    ("make", "give"),
    [
        ("from concurrent import futures; threads = futures.ThreadPoolExecutor(1)", "threads.submit(ask).result()"),
        ("from multiprocessing import pool; threads = pool.ThreadPool(1)", "threads.apply(ask)"),
    ],
)
def test_a_pool_that_outlives_its_cell(make: str, give: str, shell: Shell, ledger: Ledger) -> None:
    """A pool's threads are made in one cell and get work in others: the work belongs to these."""
    first = shell(f"{make}\n{give}")
    second = shell(give)
    assert [row[:2] for row in places(ledger)] == [(first.number, "exact"), (second.number, "exact")]
    shell("getattr(threads, 'terminate', getattr(threads, 'shutdown', None))()")


def test_what_a_pool_calls_back(shell: Shell, ledger: Ledger) -> None:
    """A callback of a future belongs to where its work was submitted; that of a ThreadPool is a guess."""
    shell(
        "from concurrent import futures; import threading\nfrom multiprocessing import pool\n"
        "executor = futures.ThreadPoolExecutor(1); threads = pool.ThreadPool(1)\n"
        "executor.submit(int).result(); threads.apply(int)"
    )
    ran = shell(
        "wait, done = threading.Event(), threading.Event()\n"
        "future = executor.submit(wait.wait, 20)\n"
        "future.add_done_callback(lambda _: (ask(), done.set()))\nwait.set(); done.wait(20)\n"
        "called = threading.Event()\nthreads.apply_async(int, callback=lambda _: (ask(), called.set()))\n"
        "called.wait(20)\nexecutor.shutdown(); threads.terminate()"
    )
    assert [row[:2] for row in places(ledger)] == [(ran.number, "exact"), (ran.number, "inferred")]


def test_joblib_hands_out_work_from_its_own_threads(shell: Shell, ledger: Ledger) -> None:
    """More tasks than joblib hands out at once: all of them belong to the cell and operation for certain."""
    ran = shell(
        "import joblib, nbtokens\nwith nbtokens.operation('name'):\n"
        "    joblib.Parallel(2, backend='threading', batch_size=1)(joblib.delayed(ask)(str(n)) for n in range(20))"
    )
    assert places(ledger) == [(ran.number, "exact", "name")] * 20


def test_carried_by_hand(shell: Shell, ledger: Ledger) -> None:
    """Work that goes through a queue of the user's belongs to where `carry` was called."""
    shell(
        "import queue, threading\nfrom nbtokens.workers.carried import carry\nwork = queue.Queue()\n"
        "def serve():\n    for task in iter(work.get, None):\n        task()\n"
        "thread = threading.Thread(target=serve); thread.start()"
    )
    ran = shell("work.put(carry(ask)); work.put(None); thread.join()")
    assert [row[:2] for row in places(ledger)] == [(ran.number, "exact")]


def test_carry_while_nothing_is_recorded() -> None:
    """`carry` gives back the function itself while recording is off."""
    assert carry(len) is len
    nbtokens.enable()
    carried: Callable[..., int] = carry(len)
    assert carried is not len
    assert carried("abc") == 3


def test_only_our_own_place_goes_along() -> None:
    """A thread sees the user's context variables as it does without us: not at all."""
    own: ContextVar[str] = ContextVar("own", default="default")
    own.set("of the cell")
    seen: list[Any] = []
    nbtokens.enable()
    with localcontext() as context, nbtokens.operation("name"):
        context.prec = 5
        for look in (lambda: seen.append((own.get(), getcontext().prec, own_place())),):
            thread = threading.Thread(target=look)
            thread.start()
            thread.join()
            with ThreadPoolExecutor(1) as pool:
                pool.submit(look).result()
    assert [one[:2] for one in seen] == [("default", 28)] * 2
    assert [one[2].operation for one in seen] == ["name"] * 2


def test_what_a_thread_sets_stays_in_the_thread() -> None:
    """What a pool's thread is given by its initializer, and sets itself, is there in the next piece of work."""
    own: ContextVar[int] = ContextVar("own")
    nbtokens.enable()
    with ThreadPoolExecutor(1, initializer=own.set, initargs=(1,)) as pool:
        assert pool.submit(own.get).result() == 1
        pool.submit(own.set, 2).result()
        assert pool.submit(own.get).result() == 2
    with ThreadPool(1, initializer=own.set, initargs=(1,)) as threads:
        threads.apply(own.set, (2,))
        assert threads.apply(own.get) == 2


def _fail() -> None:
    raise LookupError("of the user's")


def _tracebacks() -> list[str]:
    texts = []
    with ThreadPoolExecutor(1) as pool, ThreadPool(1) as threads:
        for run in (lambda: pool.submit(_fail).result(), lambda: threads.apply(_fail), lambda: threads.map(_fail, [1])):
            try:
                run()
            except (LookupError, TypeError) as error:
                texts.append("".join(traceback.format_exception(error)))
    caught: list[str] = []
    before = threading.excepthook
    threading.excepthook = lambda args: caught.append("".join(traceback.format_exception(args.exc_value)))
    try:
        thread = threading.Thread(target=_fail)
        thread.start()
        thread.join()
        try:
            thread.start()
        except RuntimeError as error:
            caught.append("".join(traceback.format_exception(error)))
    finally:
        threading.excepthook = before
    return texts + caught


def test_exceptions_are_what_they_are_without_us() -> None:
    """Every line of a traceback is the same with recording and without."""
    without = _tracebacks()
    nbtokens.enable()
    assert _tracebacks() == without
    assert len(without) == 5


def test_left_exactly_as_it_was() -> None:
    """After switching on and off every attribute of the classes is the object that it was."""
    work_item: Any = sys.modules["concurrent.futures.thread"]._WorkItem  # type: ignore[attr-defined]
    classes = (threading.Thread, work_item, ThreadPool.__mro__[1])
    before = [dict(vars(one)) for one in classes]
    for _ in range(2):
        nbtokens.enable()
        assert [dict(vars(one)) for one in classes] != before
        nbtokens.disable()
        assert [dict(vars(one)) for one in classes] == before


def test_work_that_is_under_way_when_recording_is_switched_off(shell: Shell, ledger: Ledger) -> None:
    """Work that was submitted before is done as ever, and recorded no more."""
    shell(
        "from concurrent import futures; import threading\ngo = threading.Event()\n"
        "executor = futures.ThreadPoolExecutor(1)\nfirst = executor.submit(go.wait, 20); second = executor.submit(ask)"
    )
    shell("%unload_ext nbtokens")
    ran = shell("go.set()\n(first.result(), second.result() is not None, executor.submit(int).result())")
    assert ran.value == (True, True, 0)
    assert ledger.rows() == []
    shell("executor.shutdown()")


def test_doctor_in_a_notebook(shell: Shell) -> None:
    """`%tokens doctor` tells of this kernel: it records, and the clients are hooked."""
    report = shell("%tokens doctor").value
    assert report.data["recording"] is True
    assert "httpx.Client.send" in report.data["hooked"]
    assert "ipython" in report.data["versions"]
