"""A real Dask cluster of processes: calls of its tasks belong to the cell that submitted them, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from ledgers import Ledger
    from workers.conftest import Cells

pytest.importorskip("distributed", reason="dask.distributed is not installed")

FIRST: Final = """
%load_ext nbtokens
import nbtokens, os, signal
import dask
from dask.distributed import Client, LocalCluster
from nbtokens.workers.dask_plugin import record_on
from work import *
cluster = LocalCluster(n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None)
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


def test_tasks_of_cells(cells: Cells, ledger: Ledger) -> None:
    """Each call is on its cell, with its operation and run; keys and results are Dask's own."""
    cells(
        FIRST,
        "with nbtokens.operation('first'), nbtokens.run_id('run'):\n"
        "    done = client.gather(client.map(ask, ['a', 'b', 'c', 'd']))\n"
        "assert [prompt for _, prompt in done] == ['a', 'b', 'c', 'd']\n"
        "assert os.getpid() not in {pid for pid, _ in done}",
        "client.submit(ask, 'e').result()\ndask.compute(dask.delayed(ask)('f'))",
        "again = client.submit(len, 'abc'); same = client.submit(len, 'abc')\n"
        "assert again.key == same.key and again.result() == 3",
        LAST,
    )
    assert places(ledger) == [(2, "exact", "first", "run")] * 4 + [(3, "exact", None, None)] * 2


def test_retried_tasks(cells: Cells, ledger: Ledger) -> None:
    """A task that fails and is run again has made two calls, and both are recorded, once each."""
    cells(
        FIRST,
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


def test_a_worker_that_dies(cells: Cells, ledger: Ledger) -> None:
    """A worker is killed after its call: the call is in the ledger once, and so is that of the second attempt."""
    cells(
        FIRST,
        "def die(mark):\n"
        "    import work, os, signal\n"
        "    work.ask(mark)\n"
        "    if not os.path.exists(mark):\n"
        "        open(mark, 'w').close()\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return 'done'\n"
        "assert client.submit(die, os.path.abspath('mark')).result() == 'done'",
        LAST,
    )
    assert places(ledger) == [(2, "exact", None, None)] * 2
