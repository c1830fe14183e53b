"""Processes that work for a notebook: their calls belong to the cell that handed the work over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from conftest import Ledger
    from workers.conftest import Cells

FIRST: Final = (
    "%load_ext nbtokens\nimport multiprocessing, os, nbtokens\nfrom concurrent import futures\nfrom work import *"
)
METHODS: Final = ("fork", "spawn", "forkserver")

_POOLS: Final = {
    "Pool.map": ("multiprocessing.get_context({!r}).Pool(2)", "pool.map(ask, 'ab')"),
    "Pool.apply": ("multiprocessing.get_context({!r}).Pool(2)", "[pool.apply(ask, a) for a in 'ab']"),
    "Pool.imap": ("multiprocessing.get_context({!r}).Pool(2)", "list(pool.imap(ask, 'ab'))"),
    "Pool.starmap": ("multiprocessing.get_context({!r}).Pool(2)", "pool.starmap(ask, [('a',), ('b',)])"),
    "executor.map": (
        "futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context({!r}))",
        "list(pool.map(ask, 'ab'))",
    ),
    "executor.submit": (
        "futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context({!r}))",
        "[one.result() for one in [pool.submit(ask, a) for a in 'ab']]",
    ),
}
POOLS: Final = [
    pytest.param(make.format(method), give, id=f"{name}-{method}")
    for name, (make, give) in _POOLS.items()
    for method in METHODS
    if method == "fork" or name in {"Pool.map", "executor.submit"}
]


def places(ledger: Ledger) -> list[tuple[int | None, str, str | None]]:
    """Cell, attribution and operation of each row; all rows are of one session and no two are one."""
    assert len({row["session"] for row in ledger.rows(None)}) <= 1
    rows = ledger.rows()
    assert len({row["id"] for row in rows}) == len({row["response_id"] for row in rows}) == len(rows)
    return [(row.get("execution_count"), row["attribution"], row.get("operation")) for row in rows]


@pytest.mark.parametrize(("make", "give"), POOLS)
def test_pools(make: str, give: str, cells: Cells, ledger: Ledger) -> None:
    """A pool that is made in one cell and gets work in two others: each call is one record, on the right cell."""
    out = cells(
        FIRST,
        f"pool = {make}",
        f"with nbtokens.operation('first', tag=1) as op:\n    done = {give}\nop.calls",
        f"%%tokens\nassert [prompt for pid, prompt in {give}] == list('ab')",
        "assert os.getpid() not in {pid for pid, _ in done}\n"
        "print('op', op.calls, 'session', nbtokens.session().sums.calls)\n"
        "getattr(pool, 'shutdown', getattr(pool, 'terminate', None))()",
    )
    assert places(ledger) == [(3, "exact", "first")] * 2 + [(4, "exact", None)] * 2
    assert [row.get("tags") for row in ledger.rows()] == [{"tag": 1}] * 2 + [None] * 2
    assert "op 2 session 4" in out
    assert "made no LLM calls" not in out


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("function", ["ask", "ask_in_thread"])
def test_process(method: str, function: str, cells: Cells, ledger: Ledger) -> None:
    """A process belongs to the cell and operation that started it, also where a later cell waits for it."""
    cells(
        FIRST,
        f"with nbtokens.operation('name'), nbtokens.run_id('run'):\n"
        f"    process = multiprocessing.get_context({method!r}).Process(target={function}); process.start()",
        "process.join()\nassert process.exitcode == 0",
    )
    assert places(ledger) == [(2, "exact", "name")]
    assert ledger.rows()[0]["run_id"] == "run"


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading", "sequential"])
def test_joblib(backend: str, cells: Cells, ledger: Ledger) -> None:
    """Every task of a joblib loop, of which its own threads hand out most; its workers serve a second cell too."""
    give = f"joblib.Parallel(2, {backend!r}, batch_size=1)(joblib.delayed(ask)(str(n)) for n in range(10))"
    if backend == "sequential":
        give = give.replace("Parallel(2", "Parallel(1").replace("'sequential'", "None")
    out = cells(
        FIRST + "\nimport joblib",
        f"with nbtokens.operation('name') as op:\n    done = {give}\nprint('op', op.calls)",
        f"assert [prompt for _, prompt in {give}] == [prompt for _, prompt in done] == [str(n) for n in range(10)]\n"
        "print(len({pid for pid, _ in done} - {os.getpid()}))\nprint('session', nbtokens.session().sums.calls)",
    )
    assert places(ledger) == [(2, "exact", "name")] * 10 + [(3, "exact", None)] * 10
    assert out.split() == ["op", "10", "2" if backend in {"loky", "multiprocessing"} else "0", "session", "20"]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_threads_of_workers(method: str, cells: Cells, ledger: Ledger) -> None:
    """A thread that a worker starts belongs to the worker's work; so do operations inside of the work."""
    cells(
        FIRST,
        f"with nbtokens.operation('outer', tag=1), multiprocessing.get_context({method!r}).Pool(1) as pool:\n"
        "    pool.apply(ask_in_thread); pool.apply(ask_by)",
    )
    assert places(ledger) == [(2, "exact", "outer"), (2, "exact", "of the worker")]
    assert [row["tags"] for row in ledger.rows()] == [{"tag": 1}, {"tag": 1, "inner": True}]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_that_were_there_before(method: str, cells: Cells, ledger: Ledger) -> None:
    """Workers that were started before nbtokens was loaded record what is handed to them since then."""
    cells(
        f"import multiprocessing\nfrom work import *\npool = multiprocessing.get_context({method!r}).Pool(1)\n"
        "assert not pool.apply(modules); pool.apply(ask)",
        "%load_ext nbtokens",
        "pool.apply(ask)",
        "pool.terminate()",
    )
    assert places(ledger) == [(3, "exact", None)]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_after_unloading(method: str, cells: Cells, ledger: Ledger) -> None:
    """Workers that live on after `%unload_ext` record no more, and nothing is said of a cell long gone."""
    cells(
        FIRST,
        f"pool = multiprocessing.get_context({method!r}).Pool(1); pool.apply(ask)",
        "%unload_ext nbtokens",
        "pool.apply(ask); pool.apply(ask_in_thread)\nlater = multiprocessing.Process(target=ask)\n"
        "later.start(); later.join(); pool.terminate()",
    )
    assert places(ledger) == [(2, "exact", None)]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_failed_work(method: str, cells: Cells, ledger: Ledger) -> None:
    """What is called before the work fails is recorded, and its exception arrives; the figures follow."""
    out = cells(
        FIRST,
        f"with nbtokens.operation('name') as op, multiprocessing.get_context({method!r}).Pool(1) as pool:\n"
        "    try:\n        pool.apply(ask_and_fail, ['x'])\n"
        "    except LookupError as error:\n        print(error)\n"
        "    pool.apply(ask)\nprint(op.calls)",
    )
    assert places(ledger) == [(2, "exact", "name")] * 2
    assert out.split() == ["x", "2"]


def test_processes_of_processes(cells: Cells, ledger: Ledger) -> None:
    """A worker's own workers count where the first work was handed over."""
    out = cells(
        FIRST,
        "with nbtokens.operation('name') as op, futures.ProcessPoolExecutor(\n"
        "    1, mp_context=multiprocessing.get_context('spawn')\n) as pool:\n"
        "    pool.submit(ask_in_pool, 'ab').result()\nprint(op.calls)",
    )
    assert places(ledger) == [(2, "exact", "name")] * 2
    assert out.split() == ["2"]


def test_the_ledger_of_the_parent(cells: Cells, ledger: Ledger) -> None:
    """A worker that works in another folder, with another project, writes the ledger of its parent."""
    cells(
        FIRST,
        "os.makedirs('other/.metrics')\n"
        "with multiprocessing.get_context('spawn').Pool(1, initializer=os.chdir, initargs=['other']) as pool:\n"
        "    pool.apply(ask)\nassert not os.path.exists('other/.metrics/usage_history.json')",
    )
    assert places(ledger) == [(2, "exact", None)]
    assert ledger.rows()[0]["project"] == ledger.folder.parent.name


def test_a_worker_that_dies(cells: Cells, ledger: Ledger) -> None:
    """A pool's worker is killed after its call, and its task is given again: each attempt's call is there once."""
    cells(
        "%load_ext nbtokens\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from concurrent.futures.process import BrokenProcessPool\n"
        "from work import *",
        "for task in (ask_and_die, ask):\n"
        "    with ProcessPoolExecutor(1) as pool:\n"
        "        try: pool.submit(task).result()\n"
        "        except BrokenProcessPool: assert task is ask_and_die",
    )
    rows = ledger.rows()
    assert [(row["execution_count"], row["attribution"]) for row in rows] == [(2, "exact")] * 2
    assert len({row["id"] for row in rows}) == len({row["session"] for row in rows}) + 1 == 2
