"""Rows of which only sums are kept count wherever calls are added up."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from nbtokens.cli import main
from nbtokens.history import open_history
from nbtokens.history.upkeep import retain
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgers import Ledger

    from nbtokens.record import Record

NOW = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture
def kept_as_sums(ledger: Ledger, make: Callable[..., Record], write: Callable[[list[Record]], None]) -> None:
    """A history of old calls that became sums, some of them failed, and of a new one."""
    old = {"model": "gpt-5", "provider": "openai", "session": "s", "input_tokens": 2_000, "output_tokens": 100}
    calls = [make(**old, duration_s=2.0, cost_usd=Decimal("0.0035")) for _ in range(40)]
    failed = [make(model="gpt-5", provider="openai", status="error", error="HTTP 500") for _ in range(10)]
    new = make(**old, duration_s=4.0, cost_usd=Decimal("0.0035"), started_at=NOW - timedelta(days=1))
    write([*calls, *failed, new])
    store = open_history(ledger.folder, lambda _: None)
    retain(store, 10, NOW)
    assert {row["kind"] for row in ledger.rows(None)} >= {"rollup", "call"}
    runtime().set_up(anew=True)


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    main([*words, "--json"])
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


@pytest.mark.parametrize("by", ["model", "session", "team"])
def test_stats(by: str, kept_as_sums: None, capsys: pytest.CaptureFixture[str]) -> None:
    """The sums over everything are the same, whether totals tell them or the rows."""
    words = ["--by", "model", "--since", "2020-01-01"] if by == "team" else ["--by", by]
    answer = asked(capsys, "stats", *words)
    assert (answer["calls"], answer["ok_calls"], answer["failed_calls"]) == (51, 41, 10)
    assert answer["output_tokens"] == 4_100
    assert answer["measures"]["duration_s"]["max"] == 4
    assert answer["tokens_per_second"] == pytest.approx(4_100 / 84)


def test_cost(kept_as_sums: None, capsys: pytest.CaptureFixture[str]) -> None:
    """So is what they cost, of everything and of a part."""
    for words in ((), ("--model", "gpt-5"), ("--since", "2020-01-01")):
        answer = asked(capsys, "cost", *words)
        assert (answer["calls"], answer["cost_usd"]) == (51, pytest.approx(0.1435))


def test_check(kept_as_sums: None, capsys: pytest.CaptureFixture[str]) -> None:
    """Their failures count among the errors."""
    [flag] = asked(capsys, "check")["flags"]
    assert (flag["kind"], flag["evidence"]["calls"], flag["evidence"]["failed"]) == ("errors", 51, 10)


def test_whatif(kept_as_sums: None, capsys: pytest.CaptureFixture[str]) -> None:
    """They would have cost as much as so many average calls."""
    [model] = asked(capsys, "whatif", "gpt-5-mini")["models"]
    assert (model["calls"], model["left_out"]) == (41, 0)
    assert model["cost_usd"] == pytest.approx(0.1435)
    assert model["would_cost_usd"] == pytest.approx(41 * (2_000 * 0.25 + 100 * 2) / 1e6)
