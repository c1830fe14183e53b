"""A real Dask cluster of processes: calls of its tasks belong to the cell that submitted them, each once."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from nbtokens.config import load_config
from nbtokens.worker_home import Home

if TYPE_CHECKING:
    from pathlib import Path

    from ledgers import Ledger
    from workers.conftest import Cells

pytest.importorskip("distributed", reason="dask.distributed is not installed")

FIRST: Final = """
%load_ext nbtokens
import nbtokens, os, signal, time
import dask
from dask.distributed import Client, LocalCluster
from nbtokens.workers.dask_plugin import record_on
from work import *
cluster = LocalCluster(n_workers=2, threads_per_worker=2, processes=True, dashboard_address=":0")
client = Client(cluster)
record_on(client); record_on(client)
"""
LAST: Final = "client.close(); cluster.close()"


def places(ledger: Ledger) -> list[tuple[int | None, str, str | None, str | None]]:
    """Cell, attribution, operation and run of each call; all are of one session and no two are one."""
    rows = ledger.rows()
    assert len({row["session"] for row in rows}) == 1
    assert len({row["id"] for row in rows}) == len({row["response_id"] for row in rows}) == len(rows)
    return sorted((row["execution_count"], row["attribution"], row.get("operation"), row.get("run_id")) for row in rows)


FAR: Final = FIRST.replace(
    "cluster =", "import dask.config; dask.config.set({'distributed.nanny.environ': {'NBTOKENS_DIR': FAR}})\ncluster ="
).replace("from work import *\n", "from work import *\nFAR = os.path.abspath('far')\n")
"""The same with workers whose ledger lies elsewhere, as on a machine that does not see this folder."""


@pytest.fixture(params=["near", "far"])
def first(request: pytest.FixtureRequest) -> str:
    """The first cell: a cluster whose workers see the ledger, or do not."""
    return FIRST if request.param == "near" else FAR


def test_tasks_of_cells(cells: Cells, ledger: Ledger, first: str) -> None:
    """Each call is on its cell, with its operation and run, which count it at once; keys and results are Dask's own."""
    cells(
        first,
        "with nbtokens.operation('first') as op, nbtokens.run_id('run'):\n"
        "    done = client.gather(client.map(ask, ['a', 'b', 'c', 'd']))\n"
        "assert op.calls == nbtokens.session().sums.calls == 4\n"
        "assert [prompt for _, prompt in done] == ['a', 'b', 'c', 'd']\n"
        "assert os.getpid() not in {pid for pid, _ in done}",
        "client.submit(ask, 'e').result()\ndask.compute(dask.delayed(ask)('f'))",
        "again = client.submit(len, 'abc'); same = client.submit(len, 'abc')\n"
        "assert again.key == same.key and again.result() == 3",
        LAST,
    )
    assert places(ledger) == [(2, "exact", "first", "run")] * 4 + [(3, "exact", None, None)] * 2


TASKS: Final = """
async def ask_async(prompt):
    import httpx, work
    async with httpx.AsyncClient(verify=False) as client:
        await client.post(work.URL + "/v1/completions", json={"model": "m", "prompt": prompt})
    return prompt


def ask_below(prompts):
    import work
    from dask.distributed import worker_client
    with worker_client() as client:
        return [prompt for _, prompt in client.gather(client.map(work.ask, prompts))]


def ask_after_seceding(prompts):
    import work
    from dask.distributed import get_client, rejoin, secede
    tasks = get_client().map(work.ask, prompts)
    secede()
    [task.result() for task in tasks]
    rejoin()
    return work.ask("last")[1]


def ask_in_process():
    from concurrent.futures import ProcessPoolExecutor
    import multiprocessing, work
    multiprocessing.current_process()._config["daemon"] = False  # as on a worker without a nanny
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work.ask).result()[1]


class Asker:
    def ask(self, prompt):
        import work
        return work.ask(prompt)[1]
"""


def test_ways_of_submitting(cells: Cells, ledger: Ledger, first: str) -> None:
    """Async tasks, tasks of tasks, a task's own processes, actors, and a second client: no call is lost or doubled."""
    cells(
        first,
        TASKS,
        "with nbtokens.operation('async'), nbtokens.run_id('run'):\n"
        "    assert client.submit(ask_async, 'a').result() == 'a'",
        "with nbtokens.operation('below') as op, nbtokens.run_id('run'), dask.annotate(priority=3, mine='x'):\n"
        "    assert client.submit(ask_below, ['a', 'b']).result() == ['a', 'b']\n"
        "    assert client.submit(ask_after_seceding, ['c', 'd']).result() == 'last'\n"
        "    assert dask.get_annotations() == {'priority': 3, 'mine': 'x'}\n"
        "assert op.calls == 5",
        "with nbtokens.operation('process') as op: assert client.submit(ask_in_process).result() == 'hi'\n"
        "assert op.calls == 1",
        "with nbtokens.operation('actor'): asker = client.submit(Asker, actor=True).result()",
        "assert asker.ask('a').result() == 'a'",
        "second = Client(cluster); record_on(second)\n"
        "assert second.submit(ask, 'second').result()[1] == 'second'\n"
        "assert client.submit(ask, 'first').result()[1] == 'first'\nsecond.close()",
        "assert nbtokens.session().sums.calls == nbtokens.history().sums.calls == 10",
        LAST,
    )
    assert places(ledger) == [
        (3, "exact", "async", "run"),
        *[(4, "exact", "below", "run")] * 5,
        (5, "exact", "process", None),
        (6, "exact", "actor", None),
        *[(8, "exact", None, None)] * 2,
    ]


def test_retried_tasks(cells: Cells, ledger: Ledger, first: str) -> None:
    """A task that fails and is run again has made two calls, and both are recorded, once each."""
    cells(
        first,
        "def flaky(mark):\n"
        "    import work, os\n"
        "    work.ask(mark)\n"
        "    if not os.path.exists(mark):\n"
        "        open(mark, 'w').close()\n"
        "        raise OSError('once')\n"
        "    return 'done'\n"
        "assert client.submit(flaky, os.path.abspath('mark'), retries=2).result() == 'done'",
        LAST,
    )
    assert places(ledger) == [(2, "exact", None, None)] * 2


def test_a_worker_that_dies(cells: Cells, ledger: Ledger, first: str) -> None:
    """A worker is killed after its call: the call is in the ledger once, and so is that of the second attempt."""
    cells(
        first,
        "def die(mark):\n"
        "    import work, os, signal\n"
        "    work.ask(mark)\n"
        "    if not os.path.exists(mark):\n"
        "        open(mark, 'w').close()\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return 'done'\n"
        "assert client.submit(die, os.path.abspath('mark')).result() == 'done'",
        "import time\nwhile nbtokens.history().sums.calls < 2: time.sleep(0.05)",  # sent by another worker, if far
        LAST,
    )
    assert places(ledger) == [(2, "exact", None, None)] * 2


def test_a_machine_that_is_lost(cells: Cells, ledger: Ledger) -> None:
    """Each row is at home while its task still runs: a worker is killed and its journal is gone, and no row is.

    The worker that its nanny starts in its place records too.
    """
    cells(
        FAR + "import shutil, time",
        "def work_long(mark):\n"
        "    import os, time, work\n"
        "    if os.path.exists(mark): return work.ask('again')[1]\n"
        "    for number in range(3): work.ask(str(number))\n"
        "    with open(mark + '.part', 'w') as file: file.write(str(os.getpid()))\n"
        "    os.rename(mark + '.part', mark)\n"
        "    time.sleep(1_000)\n"
        "task = client.submit(work_long, os.path.abspath('mark'))\n"
        "while not os.path.exists('mark') or nbtokens.history().sums.calls < 3: time.sleep(0.05)\n"
        "assert not task.done() and nbtokens.session().sums.calls == 3",
        "workers = set(client.scheduler_info()['workers'])\n"
        "os.kill(int(open('mark').readline()), signal.SIGKILL); shutil.rmtree('far', ignore_errors=True)\n"
        "assert task.result() == 'again'\n"
        "while not (new := set(client.scheduler_info()['workers']) - workers): time.sleep(0.05)\n"
        "assert client.submit(ask, 'new', workers=list(new)).result()[1] == 'new'",
        LAST,
    )
    assert places(ledger) == [(2, "exact", None, None)] * 4 + [(3, "exact", None, None)]


def test_workers_that_see_no_ledger(cells: Cells, ledger: Ledger) -> None:
    """Records of workers elsewhere come home before the results, count in the session, and like requests are alike."""
    cells(
        FAR,
        "done = client.gather(client.map(ask, ['same', 'same', 'other'], pure=False))\n"
        "assert nbtokens.history().sums.calls == nbtokens.session().sums.calls == 3\n"
        "assert len({pid for pid, _ in done} | {os.getpid()}) > 1",
        "client.submit(ask, 'again').result()\nassert nbtokens.history().sums.calls == 4",
        LAST,
    )
    assert places(ledger) == [(2, "exact", None, None)] * 3 + [(3, "exact", None, None)]
    far = list((ledger.folder.parent / "far" / "workers").glob("*/*/usage_history.json"))
    assert far
    assert sum(len(json.loads(path.read_bytes())) for path in far) == 4
    assert len({row["request_hash"] for row in ledger.rows()}) == 3


def test_clients_that_come_and_go(cells: Cells, ledger: Ledger) -> None:
    """What is called while no client is there is taken in by the next; later workers and other clients record.

    Before anybody records on a cluster, what its processes call is on the cell that started it, by a guess.
    """
    cells(
        FAR.replace("record_on(client); record_on(client)", "client.submit(ask, 'before').result()")
        + "from dask.distributed import fire_and_forget",
        "record_on(client)",
        "def wait_and_ask(mark):\n"
        "    import os, time, work\n"
        "    open(mark + '.begun', 'w').close()\n"
        "    while not os.path.exists(mark): time.sleep(0.05)\n"
        "    work.ask()\n"
        "    open(mark + '.done', 'w').close()\n"
        "with nbtokens.operation('forgotten') as op:\n"
        "    fire_and_forget(client.submit(wait_and_ask, os.path.abspath('mark')))\n"
        "while not os.path.exists('mark.begun'): time.sleep(0.05)\n"
        "client.close()\nopen('mark', 'w').close()\n"
        "while not os.path.exists('mark.done'): time.sleep(0.05)",
        "client = Client(cluster); record_on(client)\nwhile op.calls < 1: time.sleep(0.05)",
        "async def ask_there():\n"
        "    async with Client(cluster.scheduler_address, asynchronous=True) as own:\n"
        "        await record_on(own)\n"
        "        return await own.submit(ask, 'async client')\n"
        "assert (await ask_there())[1] == 'async client'",
        "cluster.scale(3); client.wait_for_workers(3)\n"
        "workers = list(client.scheduler_info()['workers'])\n"
        "client.gather([client.submit(ask, f'of {one}', workers=[one]) for one in workers])\n"
        "assert nbtokens.session().sums.calls == nbtokens.history().sums.calls - 1 == 5",
        LAST,
    )
    assert places(ledger) == [
        (1, "inferred", None, None),
        (3, "exact", "forgotten", None),
        (5, "exact", None, None),
        *[(6, "exact", None, None)] * 3,
    ]


def test_which_ledger_a_worker_writes(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is the submitter's where its key file says so; another of the same name, or none, is not touched."""
    config = load_config()
    key = b"aa" * 32
    (ledger.folder / "fingerprint.key").write_bytes(key)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    home = Home(None, "topic", "session")  # type: ignore[arg-type] - it sends nothing here
    assert home.config_for(config, key) == config
    assert not list(tmp_path.iterdir())
    elsewhere = home.config_for(replace(config, folder=tmp_path / "not" / "here"), key, "ada")
    assert (elsewhere.user, elsewhere.project) == ("ada", config.project)
    assert elsewhere.folder.is_relative_to(tmp_path)
    assert not (tmp_path / "not").exists()
    assert (elsewhere.folder / "fingerprint.key").read_bytes() == key
    assert home.config_for(config, b"bb" * 32).folder == elsewhere.folder
