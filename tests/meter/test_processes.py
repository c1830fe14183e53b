"""Children of a process: forked ones go on recording, spawned ones record when they are told to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from ledgers import Ledger, Script

    from nbtokens.demo.endpoint import Endpoint

MODULE: Final = """
import multiprocessing, os, sys, warnings
import httpx
import nbtokens

warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, which is the point here


def ask(url, name):
    with nbtokens.operation(name), httpx.Client(verify=False) as client:
        client.post(url + "/v1/completions", json={"model": "m", "prompt": name})
    return os.getpid(), nbtokens.session().sums.calls


def ask_in_new_process(url, name):
    nbtokens.enable()
    return ask(url, name)
"""


@pytest.fixture
def module(ledger: Ledger) -> None:
    """A module in the script's folder, for what spawned processes run."""
    Path("work.py").write_text(MODULE)


@pytest.mark.parametrize("before", ["", "ask(url, 'before')"], ids=["at once", "after a call"])
def test_fork(before: str, module: None, simulated: Endpoint, script: Script, ledger: Ledger) -> None:
    """A forked child's calls are records like its parent's, also right after recording was switched on."""
    source = f"""
    from work import *

    url = sys.argv[1]
    nbtokens.enable()
    {before}
    child = os.fork()
    if child == 0:
        ask(url, "child")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0
    ask(url, "parent")
    assert nbtokens.history().sums.calls == 2 + bool({before!r})
    """
    script(source, simulated.base_url)
    rows = ledger.rows()
    assert sorted(row["operation"] for row in rows) == sorted(["child", "parent", *(["before"] if before else [])])
    assert len({row["id"] for row in rows}) == len(rows)
    assert len({row["session"] for row in rows}) == 1


@pytest.mark.parametrize(("method", "function"), [("fork", "ask"), ("spawn", "ask_in_new_process")])
def test_pool(  # noqa: PLR0913, PLR0917 - two parameters and what the test needs
    method: str, function: str, module: None, simulated: Endpoint, script: Script, ledger: Ledger
) -> None:
    """The workers of a multiprocessing pool: one record for each call, in one valid file."""
    source = f"""
    from work import *

    nbtokens.enable()
    ask(sys.argv[1], "parent")
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        done = pool.starmap({function}, [(sys.argv[1], f"child {{n}}") for n in range(8)])
        pool.close()
        pool.join()
    assert os.getpid() not in {{pid for pid, _ in done}}
    assert nbtokens.history().sums.calls == 9
    """
    script(source, simulated.base_url)
    rows = ledger.rows()
    assert sorted(row["operation"] for row in rows) == sorted(["parent", *(f"child {n}" for n in range(8))])
    assert len({row["id"] for row in rows}) == 9
    assert len({row["session"] for row in rows}) == 1


def test_fork_of_a_busy_process(module: None, simulated: Endpoint, script: Script, ledger: Ledger) -> None:
    """Children that are forked while threads make calls record theirs, and end."""
    source = """
    from work import *
    import threading

    nbtokens.enable()
    stop = threading.Event()

    def work():
        while not stop.is_set():
            ask(sys.argv[1], "thread")

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(8):
        child = os.fork()
        if child == 0:
            for _ in range(3):
                nbtokens.record(model="m", input_tokens=1, operation=f"child {number}", cost_usd=0)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert status == 0
    stop.set()
    for thread in threads:
        thread.join()
    """
    script(source, simulated.base_url)
    children = [row["operation"] for row in ledger.rows() if row["operation"] != "thread"]
    assert sorted(children) == sorted(f"child {n}" for n in range(8) for _ in range(3))


def test_ids_of_siblings(module: None, script: Script, ledger: Ledger) -> None:
    """Children that were forked at the same point make different ids, also in the same millisecond."""
    source = """
    from work import *
    from datetime import datetime, timezone

    nbtokens.record(model="m", input_tokens=1, cost_usd=0)
    for _ in range(2):
        child = os.fork()
        if child == 0:
            at = datetime(2026, 1, 1, tzinfo=timezone.utc)
            nbtokens.record(model="m", input_tokens=1, cost_usd=0, started_at=at)
            os._exit(0)
        os.waitpid(child, 0)
    """
    script(source)
    assert len({row["id"] for row in ledger.rows()}) == len(ledger.rows()) == 3


def test_summary_of_a_child(module: None, simulated: Endpoint, script: Script) -> None:
    """What a forked child does is in the summary while the child runs; it has a writer of its own."""
    source = """
    from work import *
    import time
    from nbtokens.runtime import runtime

    nbtokens.enable()
    ask(sys.argv[1], "parent")
    runtime().settle()  # so that the parent has nothing more to write
    child = os.fork()
    if child == 0:
        ask(sys.argv[1], "in-the-child")
        path = nbtokens.history().path.with_name("USAGE_SUMMARY.md")
        for _ in range(1000):
            if path.exists() and "in-the-child" in path.read_text():
                os._exit(0)
            time.sleep(0.01)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert status == 0
    """
    script(source, simulated.base_url)
