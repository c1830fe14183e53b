"""Scores of calls: rows of their own, averages, thresholds."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import nbtokens
from nbtokens.cli import main
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from ledgers import Ledger


def scores(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["scores", "--json", *words]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_of_the_last_call(ledger: Ledger) -> None:
    """A row of its own, which names the last call; no prompt, no price, no tokens."""
    nbtokens.record(model="m", input_tokens=1)
    last = nbtokens.record(model="m", input_tokens=1)
    made = nbtokens.score(quality=0.85, safety=1)
    [row] = ledger.rows("score")
    assert (row["ref"], row["scores"], row["id"]) == (last.id, {"quality": 0.85, "safety": 1}, made.id)
    assert row["session"] == nbtokens.session().id
    assert not row.keys() & {"model", "input_tokens", "cost_usd"}
    assert nbtokens.history().sums.calls == 2


def test_of_any_call(ledger: Ledger) -> None:
    """By its record or by its id."""
    first = nbtokens.record(model="m", input_tokens=1)
    nbtokens.record(model="m", input_tokens=1)
    nbtokens.score(first, quality=1)
    nbtokens.score("an id from elsewhere", quality=0.5)
    assert [row["ref"] for row in ledger.rows("score")] == [first.id, "an id from elsewhere"]


@pytest.mark.parametrize("value", ["good", None, True, float("nan"), float("inf")])
def test_what_is_no_score(value: Any, ledger: Ledger) -> None:  # noqa: ANN401 - anything that is no number
    """A score is a number; nothing is kept of what is none."""
    nbtokens.record(model="m", input_tokens=1)
    with pytest.raises(TypeError, match="The score 'quality' is"):
        nbtokens.score(quality=value)
    with pytest.raises(TypeError, match="There is no score"):
        nbtokens.score()
    with pytest.raises(TypeError, match="is no call"):
        nbtokens.score(7, quality=1)  # type: ignore[arg-type]
    assert ledger.rows("score") == []


def test_without_a_call(script: Any, ledger: Ledger) -> None:  # noqa: ANN401 - a fixture
    """Where no call was made there is nothing to score."""
    printed = script(
        "import nbtokens\ntry:\n    nbtokens.score(a=1)\nexcept nbtokens.NbtokensError as error:\n    print(error)"
    )
    assert printed.startswith("No call was made in this session yet")


def test_averages_are_those_of_pandas(capsys: pytest.CaptureFixture[str]) -> None:
    """By operation, user and model, or as asked; the later score of a name holds."""
    chance = random.Random(1)
    rows = []
    for _ in range(60):
        call = {"operation": chance.choice("ab"), "user": chance.choice("uv"), "model": chance.choice("mn")}
        team = chance.choice(["red", "blue"])
        made = nbtokens.record(input_tokens=1, team=team, **call)
        if chance.random() < 0.7:
            nbtokens.score(made, quality=chance.random())
            value = {"quality": chance.random(), "safety": chance.random()}
            nbtokens.score(made, **value)
            rows.append({**call, "team": team, **value})
    table = pd.DataFrame(rows)
    answer = scores(capsys)
    for name in ("quality", "safety"):
        assert answer["scores"][name]["count"] == len(table)
        assert answer["scores"][name]["avg"] == pytest.approx(table[name].mean())
        assert (answer["scores"][name]["min"], answer["scores"][name]["max"]) == (table[name].min(), table[name].max())
    for by, groups in {**answer["by"], **scores(capsys, "--by", "team")["by"]}.items():
        means = table.groupby(by)[["quality", "safety"]].mean()
        found = {one["name"]: {name: of["avg"] for name, of in one["scores"].items()} for one in groups}
        assert found == {group: pytest.approx(row.to_dict()) for group, row in means.iterrows()}
    only = scores(capsys, "--user", "u", "--model", "m")["scores"]["quality"]
    assert only["avg"] == pytest.approx(table[(table["user"] == "u") & (table["model"] == "m")]["quality"].mean())


def test_nothing_is_scored(capsys: pytest.CaptureFixture[str]) -> None:
    """It says how to."""
    assert main(["scores"]) == 0
    assert "No call is scored; score the last one with nbtokens.score(quality=0.85)." in capsys.readouterr().out


def test_thresholds_alert(capsys: pytest.CaptureFixture[str]) -> None:
    """A score below its threshold is told of once for an operation; a low average is a red flag."""
    Path("nbtokens.toml").write_text("[thresholds.scores]\nquality = 0.7\n")
    runtime().set_up(anew=True)
    for value in (0.9, 0.7, 0.2, 0.1):
        nbtokens.record(model="m", operation="ask", input_tokens=1)
        nbtokens.score(quality=value, other=0)
    nbtokens.record(model="m", operation="good", input_tokens=1)
    nbtokens.score(quality=0.8)
    assert runtime().notices == [
        "The score 'quality' of calls of 'ask' falls below 0.7, its threshold; see `nbtokens check`."
    ]
    assert main(["check", "--fail-on", "scores", "--json"]) == 1
    [flag] = json.loads(capsys.readouterr().out)["flags"]
    assert (flag["kind"], flag["where"], flag["evidence"]["calls"]) == ("scores", "ask", 4)
    assert flag["evidence"]["avg"] == pytest.approx(0.475)
