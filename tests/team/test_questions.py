"""Questions to the team's database: `nbtokens --team ...` and `%tokens --team ...` answer as a local history does."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from servers import PATIENCE
from shipments import Shipment, amend, call
from sqlalchemy import create_engine, text
from traitlets.config import Config

from nbtokens.cli import main
from nbtokens.runtime import runtime
from nbtokens.team import database as database_module
from nbtokens.team.history import open_team

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledgers import Ledger
    from sqlalchemy import Engine


@pytest.fixture
def shipped(ledger: Ledger, database: str, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Shipment:
    """A project whose history is in the database, too."""
    monkeypatch.setenv("NBTOKENS_DATABASE", database)
    shipment = Shipment(ledger.folder, database, engine)
    records = [call(number) for number in range(60)]
    records += [
        call(70, status="error", error="HTTP 500", cost_usd=None, output_tokens=None, input_tokens=None),
        call(71, cost_usd=None, complete=False, usage_source="estimated"),
        call(72, kind="score", ref=records[0].id, scores={"quality": 0.25}),
        call(73, kind="score", ref=records[0].id, scores={"quality": 0.5, "safety": 1}),
        call(
            72,
            notebook="a.ipynb",
            cell="c1",
            tags={"number": 1.5, "yes": True, 'a "quoted" tag': 1},
            scores={"quality": 1},
        ),
        call(72, cell="c2", tags={"number": 2, "yes": False, "list": []}, usage={"pages_processed": 3}),
        call(73, run_id="nightly", session="s1"),
        call(73, call_type="embeddings", output_tokens=0, total_tokens=173),
        call(74, kind="cache_hit", saved_cost_usd=records[0].cost_usd),
        amend(records[3], "0.5"),
    ]
    shipment.keep(*records)
    shipment.ship()
    runtime().meter.wait_for_prices(PATIENCE)
    return shipment


def _rounded(data: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(data, float):
        return float(f"{data:.9g}")
    if isinstance(data, dict):
        return {name: _rounded(value) for name, value in data.items()}
    return [_rounded(value) for value in data] if isinstance(data, list) else data


@pytest.mark.parametrize(
    "words",
    [
        "stats",
        "stats --model gpt-5-mini",
        "stats --since 2026-11-20T12:10 --until 2026-11-20T12:30",
        "stats --run nightly",
        "stats --by domain --by session",
        "stats --by list --by number --by yes",
        "stats --by run_id --by cell --by user --by model --by week --by month --since 2026-11-20T12:05",
        "stats --media",
        "cost",
        "cost --user ada",
        "cost --since 2026-11-20T12:10",
        "check",
        "scores",
        "scores --by run_id --by day --by yes --since 2026-11-20",
        "scores --user nobody",
        "validate",
        "whatif gpt-5",
    ],
)
def test_the_same_answer_as_of_the_local_history(
    words: str, shipped: Shipment, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the database adds up, selects and counts is what reading the local file gives."""
    assert main([*words.split(), "--json"]) == 0
    local = json.loads(capsys.readouterr().out)
    assert main(["--team", *words.split(), "--json"]) == 0
    assert _rounded(json.loads(capsys.readouterr().out)) == _rounded(local)


def test_this_session_since_its_reset(shipped: Shipment, capsys: pytest.CaptureFixture[str]) -> None:
    """The database, too, leaves out what was before a reset, but for what was recorded by hand afterwards."""
    mine = runtime().session
    mine.reset(datetime.now(UTC))
    at = (mine.started_at - timedelta(days=1), mine.started_at - timedelta(seconds=1), mine.started_at)
    records = [call(when, session=mine.id, started_at=one) for when, one in enumerate(at)]
    shipped.keep(*records)
    shipped.ship()
    mine.add(records[0])
    for words in (["stats"], ["--team", "stats"]):
        assert main([*words, "--session", "this", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["input_tokens"] == 100 + 102


@pytest.mark.parametrize("words", ["stats", "stats --by run_id", "check", "validate", "cost", "whatif gpt-5"])
def test_a_row_that_no_number_can_hold(words: str, shipped: Shipment, capsys: pytest.CaptureFixture[str]) -> None:
    """A duration of next to nothing, which anybody may post, spoils no answer: its speed is beyond all measure."""
    shipped.keep(call(80, duration_s=1e-320, max_tokens=99), call(81, duration_s=5e-324, run_id="fast"))
    shipped.ship()
    assert main(["--team", *words.split()]) == 0, capsys.readouterr().err


def test_the_team_at_a_glance(shipped: Shipment, capsys: pytest.CaptureFixture[str]) -> None:
    """`nbtokens --team` shows all time, and the last month by project, user, model and operation."""
    assert main(["--team"]) == 0
    shown = capsys.readouterr().out
    for word in ("all time", "reviews", "ada", "grace", "gpt-5-mini", "draft", "Latest calls"):
        assert word in shown
    assert re.search(r"all time +66 +1 ", shown)


def test_no_database_is_set(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a setting the answer is one line that says which setting it wants."""
    assert main(["--team", "stats"]) == 2
    assert "NBTOKENS_DATABASE" in capsys.readouterr().err


def test_a_database_without_records(
    database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ledger: Ledger
) -> None:
    """Before the first record has come the answer is one line."""
    monkeypatch.setenv("NBTOKENS_DATABASE", database)
    assert main(["--team"]) == 2
    assert "no records have reached" in capsys.readouterr().err


def test_a_database_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ledger: Ledger
) -> None:
    """A server that is gone is one line, and its password is in none."""
    pytest.importorskip("psycopg")
    monkeypatch.setenv("NBTOKENS_DATABASE", "postgresql+psycopg://ada:hush@127.0.0.1:1/usage")
    assert main(["--team", "cost"]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("nbtokens cost: the team's database does not answer")
    assert "hush" not in shown


def test_a_question_that_takes_too_long(
    ledger: Ledger, postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the database gives up says so, and what to ask for instead."""
    monkeypatch.setenv("NBTOKENS_DATABASE", postgresql)
    open_team(postgresql, tmp_path, make=True).close()
    keep = create_engine(postgresql)
    with keep.begin() as connection:
        connection.execute(text("LOCK TABLE token_usage IN ACCESS EXCLUSIVE MODE"))
        monkeypatch.setitem(database_module._ALWAYS, "statement_timeout", "2s")
        assert main(["--team", "check"]) == 2
    keep.dispose()
    assert capsys.readouterr().err.startswith("nbtokens check: the team's database takes too long to answer that")


@pytest.mark.parametrize("word", ["config", "demo"])
def test_what_no_database_can_answer(word: str, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """`--team` before a word that asks nothing of records says before which it may stand."""
    assert main(["--team", word]) == 2
    assert "--team is for stats, cost" in capsys.readouterr().err


@pytest.fixture
def shell(shipped: Shipment) -> Iterator[InteractiveShell]:
    """A shell with the extension, in the project."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shell.run_line_magic("load_ext", "nbtokens")
    yield shell
    shell.run_line_magic("unload_ext", "nbtokens")
    InteractiveShell.clear_instance()


def test_the_magic(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    """`%tokens --team` and `%tokens --team cost` answer from the database."""
    assert "LLM usage of the team" in str(shell.run_line_magic("tokens", "--team"))
    shell.run_line_magic("tokens", "--team cost --json")
    assert json.loads(capsys.readouterr().out)["calls"] == 66
    assert shell.run_line_magic("tokens", "--team stats") is not None


def test_the_configuration_shows_no_password(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`nbtokens config` names the database and hides the password, wherever the URL has it."""
    for url in ("postgresql+psycopg://ada:hush@db/usage", "postgresql://db/usage?user=ada&password=hush"):
        monkeypatch.setenv("NBTOKENS_DATABASE", url)
        assert main(["config"]) == 0
        shown = capsys.readouterr().out
        assert "hush" not in shown
        assert "***" in shown
    assert Path("nbtokens.toml").exists() is False


def test_the_documents_commands(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command and cell of docs/team.md does what it says, in their order."""
    document = (Path(__file__).parents[2] / "docs" / "team.md").read_text(encoding="utf-8")
    lines = [
        line
        for block in re.findall(r"^```sh\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    assert len(lines) > 8
    for line in lines:
        command, *words = line.split()
        assert command == "nbtokens"
        assert main(words) == 0, line
    for cell in re.findall(r"^```python\n(.*?)^```", document, re.MULTILINE | re.DOTALL):
        shell.run_cell(cell).raise_error()
    assert "Error" not in capsys.readouterr().err
