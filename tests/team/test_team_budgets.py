"""A team's budgets are held against: set by a command, known to every process within seconds, asked for by no call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from IPython.core.interactiveshell import InteractiveShell
from priced import ANSWER, PRICES, REQUEST
from servers import as_json, wait_until
from shipments import Shipment, call
from sqlalchemy import text
from traitlets.config import Config

import nbtokens
from nbtokens import BudgetExceeded
from nbtokens.cli import main
from nbtokens.config import load_config
from nbtokens.context import Place
from nbtokens.limits import Amounts, Limit
from nbtokens.runtime import runtime
from nbtokens.shared_budgets import Known, Standing
from nbtokens.team import background
from nbtokens.team.database import open_database
from nbtokens.team.history import open_team
from nbtokens.team.progress import Progress

if TYPE_CHECKING:
    from databases import PostgreSQL
    from ledgers import Ledger, Script
    from servers import ScriptedServer
    from sqlalchemy import Engine

ROOT: Final = Path(__file__).parents[2]
SETTINGS: Final = f'project = "reviews"\nuser = "ada"\n{PRICES}'
TODAY: Final = datetime.now(UTC).date()


def ask(url: str) -> int:
    return httpx.post(f"{url}/v1/chat/completions", json=REQUEST, timeout=30).status_code


def budgets(words: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    assert main(["--team", "budget", *words.split(), "--json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["budgets"]
    return found


@pytest.fixture
def priced(ledger: Ledger, server: ScriptedServer) -> str:
    """The URL of a model that costs a dollar a call."""
    (ledger.folder.parent / "nbtokens.toml").write_text(SETTINGS, encoding="utf-8")
    server.will(as_json(ANSWER))
    return server.url


@pytest.fixture
def team(database: str, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shipment:
    """The database that is set, and another project's history that goes there."""
    monkeypatch.setenv("NBTOKENS_DATABASE", database)
    return Shipment(tmp_path / "other", database, engine)


def test_by_a_command(
    team: Shipment, priced: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Budgets are set before anything was recorded, shown with what is spent, replaced, and taken away."""
    assert budgets("", capsys) == []
    budgets("--user ada --per day 2.50 --at 50% --then warn", capsys)
    budgets("--project reviews --tokens 5m", capsys)
    team.keep(call(user="ada", started_at=datetime.now(UTC), cost_usd=Decimal(1)))
    team.ship()
    project, user = budgets("", capsys)
    assert (user["scope"], user["name"], user["per"], user["then"], user["warn_at"]) == (
        ("user", "ada", "day", "warn", 0.5)
    )
    assert (user["limit_usd"], user["spent_usd"], user["spent_tokens"]) == (2.5, 1, 110)
    assert (project["per"], project["limit_usd"], project["limit_tokens"]) == ("month", None, 5_000_000)
    assert [one["name"] for one in budgets("off --project reviews", capsys)] == ["ada"]
    for words in ("5", "--user ada", "off --user nobody", "x --user ada", "--user ada -1"):
        assert main(["--team", "budget", *words.split()]) == 2, words
    assert main(["budget"]) == 2
    assert "--team budget" in capsys.readouterr().err


def test_by_the_magic(team: Shipment, priced: str) -> None:
    """`%tokens --team budget` sets and shows them in a notebook; `%tokens budget` remains the kernel's own."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shell.run_line_magic("load_ext", "nbtokens")
    shown = str(shell.run_line_magic("tokens", "--team budget 5 --user ada"))
    assert "$0.00 of $5.00" in shown
    assert "ada" in shown
    assert "No budget is set" in str(shell.run_line_magic("tokens", "budget"))
    shell.run_line_magic("unload_ext", "nbtokens")
    InteractiveShell.clear_instance()


def test_a_call_is_stopped(team: Shipment, priced: str, server: ScriptedServer) -> None:
    """What others have spent counts, own calls count at once, and the error names the budget and who may raise it."""
    team.keep(call(project="reviews", user="grace", started_at=datetime.now(UTC), cost_usd=Decimal(2)))
    team.ship()
    with_budget(team.url, Limit(Decimal("4.50"), per="month", scope="project", name="reviews"))
    nbtokens.enable()
    wait_until(lambda: bool(runtime().budgets.team.standings))
    assert [ask(priced), ask(priced)] == [200, 200]
    with pytest.raises(BudgetExceeded) as stopped:
        ask(priced)
    assert len(server.asked) == 2
    said = str(stopped.value)
    for part in ("the month (UTC) of project 'reviews'", "$4.0000 of $4.50", "about $1.0000", "--team budget"):
        assert part in said
    wait_until(lambda: not runtime().budgets.team.unseen())  # its own calls have arrived, and count once
    limit = stopped.value.limit
    assert runtime().budgets.spent(limit).cost_usd == 4
    with_budget(team.url, Limit(Decimal(9), per="month", scope="project", name="reviews"))
    wait_until(lambda: runtime().budgets.team.standings[0].limit.cost_usd == 9)
    assert ask(priced) == 200


def with_budget(url: str, *limits: Limit) -> None:
    opened = open_team(url, Path.cwd(), make=True)
    for limit in limits:
        opened.set_budget(limit)
    opened.close()


def test_budgets_of_others(team: Shipment, priced: str, server: ScriptedServer) -> None:
    """Another user's, project's or notebook's budget that is used up stops nobody else; one to warn stops nobody."""
    zero = Decimal(0)
    with_budget(
        team.url,
        Limit(zero, per="day", scope="user", name="grace"),
        Limit(zero, per="day", scope="notebook", name="other.ipynb"),
        Limit(zero, per="day", scope="user", name="ada", then="warn"),
    )
    nbtokens.enable()
    wait_until(lambda: len(runtime().budgets.team.standings) == 2)  # grace's is not even known here
    assert ask(priced) == 200
    assert any("The day (UTC) of user 'ada' has passed" in one for one in runtime().notices)
    assert runtime().budgets.team.at(Place(notebook="other.ipynb"))[0].name == "other.ipynb"


def test_the_database_goes_away(
    own_cluster: PostgreSQL, priced: str, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Once known, a budget holds while the database is gone: own calls are counted, and a new process knows it too."""
    url = own_cluster.make_database("away")
    monkeypatch.setenv("NBTOKENS_DATABASE", url)
    with_budget(url, Limit(Decimal("2.50"), per="day", scope="user", name="ada"))
    nbtokens.enable()
    wait_until(lambda: bool(runtime().budgets.team.standings))
    own_cluster.kill()
    assert [ask(priced), ask(priced)] == [200, 200]
    with pytest.raises(BudgetExceeded):
        ask(priced)
    later = Known()
    later.begin(load_config())
    assert later.standings == runtime().budgets.team.standings
    monkeypatch.setenv("NBTOKENS_DATABASE", "sqlite:///another.db")
    later.begin(load_config())
    assert later.standings == ()


def test_the_database_comes_back(
    own_cluster: PostgreSQL, priced: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Budgets are asked for as ever, and rows sent, once it answers: however long the pause between attempts was."""
    monkeypatch.setattr(background, "_LONGER", 10_000)
    monkeypatch.setattr(background, "_LONGEST_PAUSE", 10_000.0)
    url = own_cluster.make_database("back")
    monkeypatch.setenv("NBTOKENS_DATABASE", url)
    with_budget(url, Limit(Decimal(10), per="day", scope="user", name="ada"))
    nbtokens.enable()
    known = runtime().budgets.team
    wait_until(lambda: bool(known.standings))
    own_cluster.kill()
    assert ask(priced) == 200
    assert len(known.unseen()) == 1
    wait_until(lambda: "refused" in _problem())  # from here on rows wait for hours, if for nothing else
    own_cluster.start()
    with_budget(url, Limit(Decimal(20), per="day", scope="user", name="ada"))
    wait_until(lambda: known.standings[0].limit.cost_usd == 20)
    wait_until(lambda: known.standings[0].spent.cost_usd == 1)
    assert not known.unseen()


def _problem() -> str:
    return Progress.load(Path(".metrics"), os.environ["NBTOKENS_DATABASE"]).problem or ""


_KERNEL: Final = """
import json, sys, time
import httpx
import nbtokens
from nbtokens.runtime import runtime
from nbtokens.team.watch import Watch

looks = []
def noted(self, look=Watch.look):
    began = time.time()
    asked = look(self)
    if asked:
        looks.append((began, time.time()))
    return asked
Watch.look = noted

nbtokens.enable()
url, request = sys.argv[1], json.loads(sys.argv[2])
while not runtime().budgets.team.standings:
    time.sleep(0.01)
while True:
    try:
        httpx.post(url + "/v1/chat/completions", json=request, timeout=30)
    except nbtokens.BudgetExceeded:
        break
    time.sleep(0.05)
print(json.dumps({"session": runtime().session.id, "looks": looks}))
"""


def test_how_far_a_team_can_overshoot(
    postgresql: str, server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several processes stop at the limit, but for what others had spent and one could not know when it last looked.

    That is the stated bound, whatever the speed of the machine: rows that had not arrived in the database by then.
    """
    server.will(as_json(ANSWER))
    limit = 30
    with_budget(postgresql, Limit(Decimal(limit), per="day", scope="project", name="reviews"))
    running = []
    for number in range(3):
        folder = tmp_path / str(number)
        (folder / ".metrics").mkdir(parents=True)
        (folder / "nbtokens.toml").write_text(SETTINGS + "[hosts]\n", encoding="utf-8")
        script = [sys.executable, "-c", _KERNEL, server.url, json.dumps(REQUEST)]
        environment = {"PYTHONPATH": str(ROOT), "NBTOKENS_DATABASE": postgresql, "PATH": ""}
        running.append(subprocess.Popen(script, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True))
    told = [json.loads(one.communicate()[0]) for one in running]
    assert [one.returncode for one in running] == [0, 0, 0]
    engine = open_database(postgresql, tmp_path)
    with engine.connect() as connection:
        calls = connection.execute(
            text(
                "SELECT session, extract(epoch FROM started_at) AS at, "
                "extract(epoch FROM pg_xact_commit_timestamp(xmin)) AS arrived FROM token_usage WHERE kind = 'call'"
            )
        ).all()
    engine.dispose()
    assert len(calls) == len(server.asked) >= limit
    last = max(calls, key=lambda one: one.at)
    looks = next(one["looks"] for one in told if one["session"] == last.session)
    looked = max(began for began, ended in looks if ended <= last.at)
    unknown = [one for one in calls if one.session != last.session and one.arrived > looked]
    assert len(calls) <= limit + len(unknown)


def known_with(*standings: Standing, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Known:
    monkeypatch.setenv("NBTOKENS_DATABASE", "sqlite:///never-opened.db")
    known = Known()
    known.begin(load_config())
    known.take(standings, ())
    return known


def test_each_own_call_counts_once(ledger: Ledger, priced: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call counts locally until the database's sums hold it, also one of thousands while the database is behind."""
    limit = Limit(Decimal(9), per="day", scope="user", name="ada")
    known = known_with(Standing(limit, Amounts(Decimal(1), 10), TODAY), folder=ledger.folder, monkeypatch=monkeypatch)
    records = [call(user="ada", started_at=datetime.now(UTC), cost_usd=Decimal("0.01")) for _ in range(2500)]
    for record in records:
        known.count(record)
    assert known.spent(limit).cost_usd == 26
    assert len(known.unseen()) <= 1001
    known.take([Standing(limit, Amounts(Decimal("25.99"), 10), TODAY)], {one.id for one in records[:-1]})
    assert known.spent(limit) == Amounts(Decimal("26.00"), 10 + 110)
    known.take(known.standings, {records[-1].id})
    assert known.spent(limit) == Amounts(Decimal("25.99"), 10)


def test_another_day(ledger: Ledger, priced: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was spent yesterday is nothing of today's budget, though the database has not been asked since."""
    day = Limit(Decimal(9), per="day", scope="user", name="ada")
    month = Limit(Decimal(9), per="month", scope="user", name="ada")
    spent = Amounts(Decimal(5), 10)
    known = known_with(
        Standing(day, spent, date(2026, 11, 20)),
        Standing(month, spent, date(2026, 11, 1)),
        folder=ledger.folder,
        monkeypatch=monkeypatch,
    )
    at = datetime(2026, 11, 20, 23, tzinfo=UTC)
    known.count(call(user="ada", started_at=at, cost_usd=Decimal(1)))
    later = at + timedelta(hours=2)
    assert [known.spent(one, at).cost_usd for one in (day, month)] == [6, 6]
    assert [known.spent(one, later).cost_usd for one in (day, month)] == [0, 6]


def test_a_forked_process(script: Script, team: Shipment, priced: str) -> None:
    """A forked child, in which no thread of its parent's lives, learns of budgets by itself once it has made a call."""
    with_budget(team.url, Limit(Decimal(9), per="day", scope="user", name="ada"))
    script(
        """
        import os, time, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, which is the point here
        import nbtokens
        from nbtokens.runtime import runtime
        nbtokens.enable()
        team = runtime().budgets.team
        while not team.standings: time.sleep(0.01)
        child = os.fork()
        if not child:
            nbtokens.record(model="m", input_tokens=1, cost_usd="0.5")
            while team.unseen(): time.sleep(0.01)
            os._exit(int(team.spent(team.standings[0].limit).cost_usd * 10))
        _, state = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(state) == 5, state
        """
    )


def test_a_fork_in_the_middle(script: Script, team: Shipment, priced: str) -> None:
    """A process forked while its parent's thread writes to the database can write there too, and its parent go on."""
    with_budget(team.url, Limit(Decimal(9), per="day", scope="user", name="ada"))
    script(
        """
        import os, threading, time, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, which is the point here
        import nbtokens
        from nbtokens.runtime import runtime
        from sqlalchemy import Engine, event
        in_the_middle, parent = threading.Event(), os.getpid()
        def slowly(connection):
            if os.getpid() == parent:
                in_the_middle.set()
                time.sleep(0.3)
        event.listen(Engine, "commit", slowly)
        nbtokens.enable()
        team = runtime().budgets.team
        nbtokens.record(model="m", input_tokens=1, cost_usd="0.5")
        in_the_middle.wait()
        child = os.fork()
        nbtokens.record(model="m", input_tokens=1, cost_usd="0.5")
        while team.unseen(): time.sleep(0.01)
        if not child: os._exit(0)
        _, state = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(state) == 0, state
        """
    )
    assert team.count() == 3
