"""`%tokens budget` and `%%tokens --budget`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from IPython.core.error import UsageError

import nbtokens
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from running import Shell


@pytest.fixture(autouse=True)
def without_limits() -> Iterator[None]:
    yield
    runtime().budgets.remove()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("budget 5.00 --per day --at 80% warn --then stop", "$5.00 per day"),
        ("budget --tokens 200k", "200,000 tokens per session"),
        ("budget $2 --per minute --then wait", "$2.00 per minute"),
        ("budget 1 --per cell --unpriced stop", "$1.00 per cell"),
        ("budget 1 --per notebook", "$1.00 per notebook"),
        ("budget 1 --per month", "$1.00 per month"),
    ],
)
def test_setting(line: str, said: str, shell: Shell) -> None:
    """A limit is set as it is said, shown with what is spent of it, and taken away."""
    shown = repr(shell.shell.run_line_magic("tokens", line))
    assert [str(limit) for limit in runtime().budgets.limits] == [said]
    assert said.rpartition(" ")[2] in shown
    assert "No budget is set" in repr(shell.shell.run_line_magic("tokens", "budget off"))
    assert not runtime().budgets.limits


@pytest.mark.parametrize(
    "line", ["budget much", "budget 5 --per year", "budget 5 --at soon", "budget 5 --at 80% stop", "budget --then stop"]
)
def test_mistakes(line: str, shell: Shell) -> None:
    """What can't be understood is one line that says what may be said, and sets nothing."""
    with pytest.raises(UsageError):
        shell.shell.run_line_magic("tokens", line)
    assert not runtime().budgets.limits


def test_the_error_is_short(shell: Shell) -> None:
    """It shows the user's own lines and what happened, none of the client's; without nbtokens it is as any other."""
    shell("ask('hi')")
    shell("%tokens budget --tokens 10")
    shell("def mine():\n    ask('hi')")
    shown = shell("mine()", fails=True).out
    assert "mine()" in shown
    assert "BudgetExceeded: This call was not sent: this session has used " in shown
    assert "site-packages" not in shown
    assert "budgets.py" not in shown
    assert len(shown.splitlines()) < 25
    shell("%tokens hide-cost")
    shell("%tokens budget 0")
    shown = shell("gpt.embeddings.create(model='simulated-model', input='hi')", fails=True).out
    assert "has used ••• of •••" in shown
    assert "$" not in shown
    shell("%unload_ext nbtokens")
    assert not hasattr(nbtokens.BudgetExceeded, "_render_traceback_")


def test_of_one_cell(shell: Shell) -> None:
    """`%%tokens --budget` stops the cell's calls before the limit is passed, and holds for that run of it alone."""
    shell("ask('hi')")  # so that it is known what such calls write
    before = runtime().session.sums
    stopped = shell.shell.run_cell(f"%%tokens --budget {3 * before.cost_usd}\nfor _ in range(9):\n    ask('hi')")
    assert type(stopped.error_in_exec).__name__ == "BudgetExceeded"
    made = runtime().session.sums.calls - before.calls
    assert 1 <= made <= 4  # what a call will use is estimated
    assert not runtime().budgets.limits
    shell("for _ in range(5): ask('hi')")
    assert runtime().session.sums.calls == before.calls + made + 5
