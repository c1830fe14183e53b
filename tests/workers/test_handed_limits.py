"""Budgets that a process holds for another one, whose ledger it does not see."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from nbtokens.budgets import Budgets
from nbtokens.config import Config, Settings
from nbtokens.context import Place
from nbtokens.handed_limits import Terms
from nbtokens.history.store import Store
from nbtokens.history.totals import Sums
from nbtokens.limits import Amounts, Limit
from nbtokens.record import Record, new_id
from nbtokens.shared_budgets import Standing, first_day

PLACE = Place(notebook="analysis.ipynb", cell="a", execution_count=7)
NOW = datetime.now(UTC)
TEAMS = Limit(Decimal(10), per="month", scope="user", name="ada")
OWN = Limit(tokens=1000)
OF_CELL = Limit(tokens=500, per="cell")
CONFIG = Config(Path("nowhere"), Path("nowhere"), Settings(user="ada", project="reviews"))


def call(cost: int, tokens: int, cell: str = "a") -> Record:
    """A call of ada's in the notebook."""
    return Record(
        v=1,
        kind="call",
        id=new_id(),
        started_at=NOW,
        user="ada",
        project="reviews",
        notebook=PLACE.notebook,
        cell=cell,
        execution_count=PLACE.execution_count,
        cost_usd=Decimal(cost),
        total_tokens=tokens,
    )


def budgets(folder: Path) -> Budgets:
    """The budgets of one process."""
    store = Store(folder, lambda _: None)
    return Budgets(Sums, lambda: store, lambda: lambda _: Amounts(), lambda _: None)


def worker(folder: Path, terms: Terms) -> Budgets:
    """A process that has heard the limits of a session, by Dask's connection."""
    one = budgets(folder)
    one.team.begin(CONFIG)
    one.team.hear_of("session")
    one.take_terms(msgspec.json.decode(msgspec.json.encode(terms), type=Terms), None)
    return one


def terms(spent: int, **taken: str) -> Terms:
    """What home says: so much is spent of all limits, in USD and hundreds of tokens."""
    used = Amounts(Decimal(spent), spent * 100)
    standings = (
        Standing(TEAMS, used, first_day(TEAMS, NOW.date())),
        Standing(OWN, used, first_day(OWN, NOW.date())),
        Standing(OF_CELL, used, first_day(OF_CELL, NOW.date()), (PLACE.cell, PLACE.execution_count)),
    )
    return Terms(spent, None, (Limit(tokens=9, per="minute"),), standings, taken)


def spent(one: Budgets) -> list[int]:
    """What a process knows to be spent of the limits, in hundreds of tokens."""
    return [one.spent(limit, PLACE).tokens // 100 for limit in (TEAMS, OWN, OF_CELL)]


def test_what_is_spent_of_them(tmp_path: Path) -> None:
    """What home knows and one's own calls since, each once; another worker's calls once home has told of them.

    So a worker is beyond a limit at most by what the others have spent since they last told, and since it last heard.
    """
    one, other = (worker(tmp_path, terms(2)) for _ in range(2))
    assert one.team.at(PLACE) == [TEAMS, OWN, OF_CELL]
    assert one.limits == [Limit(tokens=9, per="minute")]
    first, second = call(1, 100), call(1, 100)
    one.count(first)
    one.count(second)
    assert (spent(one), spent(other)) == ([4, 4, 4], [2, 2, 2])
    one.take_terms(terms(3), first.id)  # the first has arrived
    other.take_terms(terms(3), None)
    assert (spent(one), spent(other)) == ([4, 4, 4], [3, 3, 3])
    one.take_terms(terms(4), second.id)
    other.take_terms(terms(4), None)
    assert (spent(one), spent(other)) == ([4, 4, 4], [4, 4, 4])
    one.count(call(1, 100, cell="b"))
    assert spent(one) == [5, 5, 4]
    assert one.team.at(Place(cell="b", execution_count=7)) == [TEAMS, OWN]


def test_another_session(tmp_path: Path) -> None:
    """Where a worker begins to work for another session, nothing holds of the one before."""
    one = worker(tmp_path, terms(2))
    one.count(call(1, 100))
    one.hold_no_more()
    assert not one.hold
    one.team.hear_of("another")
    one.take_terms(terms(1), None)
    assert spent(one) == [1, 1, 1]


def test_many_calls_before_home_answers(tmp_path: Path) -> None:
    """Calls that home does not know for long are kept as a sum, and count once when it does."""
    one = worker(tmp_path, terms(0))
    calls = [call(1, 100) for _ in range(1500)]
    for record in calls:
        one.count(record)
    assert spent(one)[:2] == [1500, 1500]
    one.take_terms(terms(1499), calls[-2].id)
    assert spent(one)[:2] == [1500, 1500]
