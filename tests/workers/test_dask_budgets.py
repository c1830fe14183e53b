"""Budgets on Dask workers: they hold what the notebook holds that submitted the tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from ledgers import Ledger
    from workers.conftest import Cells

pytest.importorskip("distributed", reason="dask.distributed is not installed")

from workers.test_dask import FAR, FIRST, LAST

WORK: Final = """
import nbtokens.runtime
one, other = client.scheduler_info()["workers"]


def spend(calls=100):
    import work
    for _ in range(calls):
        work.ask()
    return calls


def spend_until_stopped(begun):
    import time, work
    for _ in range(10_000):
        work.ask()
        open(begun, "w").close()
        time.sleep(0.02)


def stopped(task):
    try:
        task.result()
    except nbtokens.BudgetExceeded as error:
        return error.limit.tokens, "This call was not sent" in str(error), isinstance(task.exception(), Exception)


def calls():
    return nbtokens.session().sums.calls
"""


@pytest.mark.parametrize("first", [FIRST, FAR], ids=["near", "far"])
def test_limits_of_the_notebook(first: str, cells: Cells, ledger: Ledger) -> None:
    """A limit stops tasks, on whatever worker, also one that is set while they run; a warning is given at home."""
    out = cells(
        first,
        WORK,
        # one worker alone never spends more, and another one begins with what that one has spent
        "limit = nbtokens.budget(tokens=700)\n"
        "assert stopped(client.submit(spend, workers=[one])) == (700, True, True)\n"
        "made = calls()\n"
        "assert 0 < nbtokens.session().sums.total_tokens <= 700\n"
        "assert stopped(client.submit(spend, 50, workers=[other], retries=1)) == (700, True, True)\n"
        "assert 0 < nbtokens.session().sums.total_tokens <= 700",
        "limit.remove()\n"
        "task = client.submit(spend_until_stopped, os.path.abspath('begun'), workers=[other])\n"
        "while not os.path.exists('begun'): time.sleep(0.05)\n"
        "limit = nbtokens.budget(tokens=1)\nassert stopped(task) == (1, True, True)",
        "limit.remove()\nlimit = nbtokens.budget(tokens=1, per='day', then='warn')\n"
        "assert client.submit(spend, 2, workers=[one]).result() == 2\nlimit.remove()",
        "limit = nbtokens.budget(tokens=1, per='cell')\nassert stopped(client.submit(spend, 3)) == (1, True, True)\n"
        "limit.remove()\nassert client.submit(spend, 4).result() == 4",
        LAST,
    )
    assert "Today (UTC) has passed its limit of 1 tokens per day." in out
    rows = ledger.rows()
    assert {row["execution_count"] for row in rows} == {3, 4, 5, 6}
    assert len({row["id"] for row in rows}) == len(rows)
