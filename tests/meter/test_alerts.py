"""Bounds whose passing is told: in the notebook, in the log, and to the user's own function. They stop nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import nbtokens
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledgers import Ledger


@pytest.fixture
def alerts() -> Iterator[list[nbtokens.Alert]]:
    """The alerts that come, and callbacks that are gone afterwards."""
    come: list[nbtokens.Alert] = []
    nbtokens.on_alert(come.append)
    yield come
    runtime().budgets.alerts.callbacks.clear()


def settle(ledger: Ledger, bound: str) -> None:
    ledger.folder.with_name("nbtokens.toml").write_text(f"[alerts]\n{bound}\n", encoding="utf-8")
    nbtokens.enable()


@pytest.mark.parametrize(
    ("bound", "call", "times"),
    [
        ("max_tokens_per_call = 1000", {"input_tokens": 900, "output_tokens": 200}, 3),
        ("max_duration_s = 1.5", {"input_tokens": 1, "duration_s": 2.0}, 3),
        ("max_operation_cost_usd = 2", {"input_tokens": 1, "cost_usd": 1, "operation": "dear"}, 1),
        ("max_daily_cost_usd = 2.5", {"input_tokens": 1, "cost_usd": 1}, 1),
    ],
)
def test_bounds(bound: str, call: dict[str, Any], times: int, ledger: Ledger, alerts: list[nbtokens.Alert]) -> None:
    """A bound that is passed is told, of sums once; what stays within it is not."""
    settle(ledger, bound)
    nbtokens.record(model="m", input_tokens=1)
    assert not alerts
    for _ in range(3):
        nbtokens.record(model="m", **call)
    assert [alert.bound for alert in alerts] == [bound.partition(" ")[0]] * times
    assert alerts[0].message in runtime().notices
    assert bound.partition(" ")[0] in alerts[0].message


def test_quality(ledger: Ledger, alerts: list[nbtokens.Alert]) -> None:
    """A score of quality below the least is told."""
    settle(ledger, "min_quality_score = 0.5")
    nbtokens.record(model="m", input_tokens=1)
    nbtokens.score(quality=0.9, safety=0.1)
    assert not alerts
    nbtokens.score(quality=0.4)
    assert [alert.bound for alert in alerts] == ["min_quality_score"]


def test_a_callback_that_fails(ledger: Ledger, alerts: list[nbtokens.Alert], faults_expected: Any) -> None:  # noqa: ANN401
    """A function of the user's that raises stops neither the call nor its record."""

    def fail(_: nbtokens.Alert) -> None:
        raise ZeroDivisionError

    settle(ledger, "max_tokens_per_call = 1")
    nbtokens.on_alert(fail)
    nbtokens.record(model="m", input_tokens=5)
    assert len(alerts) == 1
    assert len(ledger.rows()) == 1
