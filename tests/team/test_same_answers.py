"""The same rows through the file and through a database give the same answers, of everything that can be asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from servers import PATIENCE
from shipments import Shipment
from wasteful import wasteful_history

from nbtokens.analysis.flag import KINDS
from nbtokens.cli import main
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    import pytest
    from ledgers import Ledger
    from sqlalchemy import Engine

_PARTS = ("", "--since 2026-11-20T20:30", "--user ada --until 2026-11-22T01:00", "--session s1 --notebook a.ipynb")
SAVINGS = {"identical", "embeddings", "rerun", "prefix", "cheaper", "failed", "truncated", "batch"}
QUESTIONS = (
    *(f"{question} {part}" for question in ("check", "validate", "cost", "stats") for part in _PARTS),
    "check --run r1",
    "validate --model gpt-5",
    "validate r0 r1",
    "cost --run r2",
    "cost --operation embeddings",
    "stats --operation chat --since 2026-11-20",
    "check --operation chat",
    "stats --by run_id --by session --by cell --by list --by domain --by week --by notebook",
    "stats --by run_id --by day --since 2026-10-20T01:00",
    "stats --media",
    "stats --media --user ada --until 2026-11-22T01:00",
    "validate --plot plot.svg",
    "validate r0 r1 --plot plot.svg",
)


def _rounded(data: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(data, float):
        return float(f"{data:.7g}") if abs(data) > 1e-12 else 0.0
    if isinstance(data, dict):
        return {name: _rounded(value) for name, value in data.items()}
    return [_rounded(value) for value in data] if isinstance(data, list) else data


def test_the_same_rows_give_the_same_answers(
    ledger: Ledger,
    database: str,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of flags, tests, costs, savings, statistics and media, of all calls and of parts; and of the latest alone."""
    monkeypatch.setenv("NBTOKENS_DATABASE", database)
    shipment = Shipment(ledger.folder, database, engine)
    shipment.keep(*wasteful_history())
    shipment.ship()
    runtime().meter.wait_for_prices(PATIENCE)
    found = {question.strip(): _answer(question, capsys) for question in QUESTIONS}
    assert {one["kind"] for one in found["check"]["flags"]} == {*KINDS} - {"scores"}
    assert {one["kind"] for one in found["cost"]["savings"]} == SAVINGS
    assert all(run["by_both"] for run in found["validate"]["runs"][0]["by_model"])
    assert all(all(one.values()) for one in found["stats --media"]["media"].values())
    assert found["validate --plot plot.svg"]["drawn"] == found["validate"]["runs"][0]["whole"]["calls"]
    for module in ("nbtokens.analysis.validation", "nbtokens.team.validation"):
        monkeypatch.setattr(f"{module}.MOST", 500)
    monkeypatch.setattr("nbtokens.analysis.validation.DRAWN", 100)
    monkeypatch.setattr("nbtokens.questions.validate.DRAWN", 100)
    cut = _answer("validate --plot plot.svg", capsys)
    whole, left_out = (cut["runs"][0][name] for name in ("whole", "left_out"))
    assert (cut["drawn"], whole["calls"], left_out["at_least"]) == (100, 500, False)
    assert left_out["calls"] == found["validate"]["runs"][0]["whole"]["calls"] - 500
    assert _answer(f"validate --until {left_out['before']}", capsys)["runs"][0]["whole"]["calls"] == 500
    assert main(["--team", "validate", "--plot", "plot.svg"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert f"Looked at are the latest 500 of {500 + left_out['calls']:,} calls that can be tested" in printed
    assert "Drawn: the latest 100 of 500 calls" in printed
    monkeypatch.setattr("nbtokens.team.waste.LATEST", 500)
    assert main(["--team", "cost", "--json"]) == 0
    of_latest = json.loads(capsys.readouterr().out)
    left_out = of_latest["savings_left_out"]
    assert left_out["calls"] > left_out["looked_at"] == 500
    assert main(["cost", "--since", left_out["before"], "--json"]) == 0
    assert _rounded(of_latest["savings"]) == _rounded(json.loads(capsys.readouterr().out)["savings"])
    assert main(["--team", "cost"]) == 0
    assert "Of savings: Looked at are the latest 500 of" in capsys.readouterr().out
    monkeypatch.setattr("nbtokens.team.earlier.MOST", 100)
    for question, key in (("validate", "left_out"), ("cost", "savings_left_out")):
        assert main(["--team", question, "--json"]) == 0
        answer = json.loads(capsys.readouterr().out)
        rest = answer.get("runs", [answer])[0][key]
        assert (rest["calls"], rest["looked_at"], rest["at_least"]) == (100, 500, True)
        assert main(["--team", question]) == 0
        assert "Looked at are the latest 500 of 600 or more calls" in " ".join(capsys.readouterr().out.split())


def _answer(question: str, capsys: pytest.CaptureFixture[str]) -> Any:  # noqa: ANN401 - any JSON
    """The local history's answer, which is the database's too."""
    assert main([*question.split(), "--json"]) == 0, question
    local = json.loads(capsys.readouterr().out)
    assert main(["--team", *question.split(), "--json"]) == 0, question
    assert _rounded(json.loads(capsys.readouterr().out)) == _rounded(local), question
    return local
