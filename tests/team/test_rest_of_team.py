"""The REST interface over the team's database answers as over a local ledger, on each kind of database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from server.conftest import ADAS, Rest, running
from servers import PATIENCE, wait_until
from shipments import NOON, Shipment, amend, call

from nbtokens.config import load_config
from nbtokens.limits import Limit
from nbtokens.server.answers import Answers, answers_of
from nbtokens.server.data import Page, Period

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from databases import PostgreSQL
    from ledgers import Ledger
    from sqlalchemy import Engine

PERIOD: Final = Period(date(2026, 11, 1), date(2026, 11, 30))


@dataclass
class Both:
    """The same records, in a ledger and in a database.

    Attributes:
        ledger: the answers from the one.
        team: from the other.
        shipment: what sent them.
    """

    ledger: Answers
    team: Answers
    shipment: Shipment


@pytest.fixture
def both(ledger: Ledger, database: str, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Both]:
    """Calls of two people, with scores, amendments, failures, runs, cells, tags and answers from a cache."""
    shipment = Shipment(ledger.folder, database, engine)
    records = [
        call(number, notebook=("a.ipynb", None)[number % 2], cell=f"c{number % 3}", run_id=("r1", None)[number % 2])
        for number in range(40)
    ]
    records += [
        call(50, status="error", http_status=500, cost_usd=None, input_tokens=None, output_tokens=None),
        call(51, operation=None, call_type="embeddings", cost_usd=None),
        call(52, kind="score", ref=records[0].id, scores={"quality": 0.25, "safety": 1}),
        call(53, kind="score", ref=records[0].id, scores={"quality": 0.75}),
        call(54, kind="score", ref=records[3].id, scores={"quality": 0.5}),
        call(55, kind="cache_hit", run_id="r1", saved_cost_usd=Decimal("0.1")),
        call(56, kind="run", run_id="without calls", calls=0),
        call(58, reasoning_output_tokens=5, tags=None, usage=None),
        *(call(60 + number, request_hash="same", cost_usd=Decimal("0.5")) for number in range(5)),
        amend(records[4], "0.5"),
    ]
    shipment.keep(call(0, started_at=NOON - timedelta(days=40)), *records)
    shipment.ship()
    of_ledger = answers_of(load_config())
    monkeypatch.setenv("NBTOKENS_DATABASE", database)
    of_team = answers_of(load_config())
    yield Both(of_ledger, of_team, shipment)
    of_ledger.close()
    of_team.close()


def plain(answer: Any) -> Any:  # noqa: ANN401 - any shape
    """An answer as plain data, with 12 digits of each number, for SQLite's money; equals have no order."""
    if isinstance(answer, msgspec.Struct):
        return plain(msgspec.structs.asdict(answer))
    if isinstance(answer, dict):
        return {name: plain(value) for name, value in answer.items()}
    if isinstance(answer, list):
        return [plain(value) for value in answer]
    return float(f"{answer:.12g}") if isinstance(answer, float | Decimal) else answer


@pytest.mark.parametrize("user", [None, "ada", "nobody"])
def test_the_same_answers(user: str | None, both: Both) -> None:
    """Every endpoint's figures, for who sees all and for one user, are those of the ledger."""
    found = []
    for answers in (both.ledger, both.team):
        overview = plain(answers.overview(PERIOD, user))
        found.append(
            {
                "usage": plain(answers.token_usage(PERIOD, user)),
                "user": plain(answers.user_usage(user or "grace", PERIOD)),
                "cost": plain(answers.cost_analysis(PERIOD, user)),
                "runs": [plain(answers.run_metrics(run, user)) for run in ("r1", "without calls", "unknown")],
                "pages": [plain(answers.run_calls("r1", user, Page(number, 7))) for number in (1, 2, 9)],
                "overview": overview,
                "gauges": sorted(plain([one._asdict() for one in answers.gauges(user)]), key=str),
            }
        )
    assert found[1] == found[0]


def test_budgets(both: Both) -> None:
    """The overview shows the team's budgets with what is spent; to one user only their own."""
    team = both.shipment.team()
    team.set_budget(Limit(Decimal(9), per="month", scope="user", name="ada"))
    team.set_budget(Limit(tokens=1000, per="day", scope="project", name="reviews"))
    found = both.team.overview(PERIOD, None).budgets
    assert [(one.name, one.period, one.limit_usd, one.limit_tokens) for one in found] == [
        ("project reviews", "day", None, 1000),
        ("user ada", "month", 9, None),
    ]
    assert [one.name for one in both.team.overview(PERIOD, "ada").budgets] == ["user ada"]
    assert both.team.overview(PERIOD, "grace").budgets == []


def test_who_sees_what(both: Both) -> None:
    """Over the database, too, a user sees their own calls only."""
    with running(both.team) as rest:
        days = f"start_date={PERIOD.first}&end_date={PERIOD.last}"
        assert {one["name"] for one in rest.get(f"/overview?{days}").json()["users"]} == {"ada", "grace"}
        assert {one["name"] for one in rest.get(f"/overview?{days}", ADAS).json()["users"]} == {"ada"}
        assert rest.get("/token-usage/user/grace", ADAS).status_code == 403
        own = rest.get("/runs/r1/token-metrics", ADAS).json()
        assert own["total_calls"] == rest.get("/runs/r1/token-metrics").json()["total_calls"]  # all of them are hers


def posted(rest: Rest, name: str) -> int:
    """Post one call; the status."""
    one = {"id": name, "model": "m", "started_at": "2026-11-20T10:00:00Z", "input_tokens": 7, "cost_usd": 1}
    return rest.post("/records", json={"records": [one]}).status_code


def test_what_is_posted_arrives(both: Both) -> None:
    """Posted records are in the ledger first and in the database soon, by the server itself, each once."""
    with running(both.team) as rest:
        before = both.shipment.count()
        assert [posted(rest, "one"), posted(rest, "one"), posted(rest, "two")] == [200, 200, 200]
        wait_until(lambda: both.shipment.count() == before + 2)


def test_the_database_is_away(
    own_cluster: PostgreSQL, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without the database the answer is a 503 that says so, posting goes on, and all is well once it is back."""
    url = own_cluster.make_database("away")
    own_cluster.kill()
    monkeypatch.setenv("NBTOKENS_DATABASE", url)
    with running() as rest:
        refused = rest.get("/token-usage?start_date=2026-11-20")
        assert refused.status_code == 503
        assert "database does not answer" in refused.json()["message"]
        assert posted(rest, "meanwhile") == 200
        own_cluster.start()
        wait_until(lambda: rest.get("/token-usage").status_code == 200)
        monkeypatch.setattr("servers.PATIENCE", 4 * PATIENCE)  # the sender tries again after some seconds
        wait_until(
            lambda: (
                rest.get("/token-usage?start_date=2026-11-20").json()["summary"]["totals"]["total_input_tokens"] == 7
            )
        )
