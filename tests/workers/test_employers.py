"""A process that works for several others at the same moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from ledgers import Ledger, Script
    from workers.conftest import Cells

    from nbtokens.demo.endpoint import Endpoint

TOGETHER: Final = """
import json, os, pathlib, pickle, threading
from dataclasses import replace
import httpx, msgspec
from nbtokens.config import load_config
from nbtokens.context import Place, current_run_id
from nbtokens.worker import take_up
from nbtokens.workers.carried import Parcel

here, both, rows = load_config(), threading.Barrier(2, timeout=100), {}


def work(name):
    both.wait()  # both have begun
    for _ in range(2):
        with httpx.Client(verify=False) as client:
            client.post(os.environ["MODEL_URL"] + "/v1/completions", json={"model": "m", "prompt": name})
        both.wait()
    assert current_run_id() == "run " + name


def hand_over(name, session, folder):
    settings = msgspec.structs.replace(here.settings, user="of " + session)
    config = replace(here, folder=pathlib.Path(folder).resolve(), settings=settings)
    place = Place(operation=name, attribution="exact", cell=name)
    take_up(work, pickle.dumps(Parcel(config, session, "run " + name, place, 1, "elsewhere")))(name)


def run(*work):
    threads = [threading.Thread(target=hand_over, args=one) for one in work]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]


run(("a", "one", "1"), ("b", "two", "2"))
run(("c", "one", "1"), ("d", "one", "1"))
"""


def test_two_sessions_at_once(script: Script, simulated: Endpoint, ledger: Ledger) -> None:
    """Works of two sessions, and of two runs of one session, share a process: each call is in its ledger and run."""
    script(TOGETHER, MODEL_URL=simulated.base_url)
    found = {
        number: sorted(
            (row["session"], row["user"], row["operation"], row["run_id"], row["attribution"])
            for row in type(ledger)(ledger.folder.parent / number).rows()
        )
        for number in "12"
    }
    assert found == {
        "1": [("one", "of one", name, f"run {name}", "exact") for name in "acd" for _ in range(2)],
        "2": [("two", "of two", "b", "run b", "exact")] * 2,
    }
    assert not ledger.rows()


STOPPING: Final = {
    "ThreadPool": "multiprocessing.pool.ThreadPool(1)",
    "Pool": "multiprocessing.get_context('fork').Pool(1)",
}


@pytest.mark.parametrize("pool", STOPPING)
def test_a_stopped_call_in_a_pool(pool: str, cells: Cells, ledger: Ledger) -> None:
    """The error of a stopped call comes out of a pool, which knows `Exception` alone, and the pool goes on working."""
    out = cells(
        "%load_ext nbtokens\nimport multiprocessing.pool, nbtokens\nfrom work import *",
        "limit = nbtokens.budget(tokens=1)",
        f"with {STOPPING[pool]} as pool:\n"
        "    try: pool.apply(ask)\n"
        "    except nbtokens.BudgetExceeded as error: print(type(error).__name__, error.limit.tokens)\n"
        "    print(pool.apply(len, ['abc']))",
    )
    assert out.split() == ["BudgetExceeded", "1", "3"]
    assert not ledger.rows()


EXECUTORS: Final = {
    "fork": "futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context('fork'))",
    "loky": "loky.get_reusable_executor(2)",
}


@pytest.mark.parametrize("executor", EXECUTORS)
def test_limits_in_other_processes(executor: str, cells: Cells, ledger: Ledger) -> None:
    """Processes hold the limits of the notebook together: what they have spent they read from the ledger they share."""
    cells(
        "%load_ext nbtokens\nimport multiprocessing, nbtokens\nfrom concurrent import futures\n"
        "from joblib.externals import loky\nfrom work import *\nask()",
        "limit = nbtokens.budget(tokens=700)\n"
        f"pool = {EXECUTORS[executor]}\n"
        "tasks = [pool.submit(ask_often) for _ in range(3)]\n"
        "assert [isinstance(task.exception(), nbtokens.BudgetExceeded) for task in tasks] == [True] * 3",
        "limit.remove()\npool.submit(ask).result()\npool.shutdown()",
    )
    before, *rows, after = ledger.rows()
    cells_of = [row["execution_count"] for row in (before, *rows, after)]
    assert cells_of == [1, *[2] * len(rows), 3]
    used = [before["total_tokens"], *(row["total_tokens"] for row in rows)]
    assert sum(used) <= 700 + 2 * max(used)  # one call of each that was in flight, or longer than the usual one
