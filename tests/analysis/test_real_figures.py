"""Every figure of the questions, on real calls and on generated ones, against an independent computation."""

from __future__ import annotations

import shutil
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from independent import CHECKS, Raw, asking
from ledgers import ROOT

from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgers import Ledger

    from nbtokens.record import Record

REAL = ROOT / "tests" / "analysis" / "real_history.json"


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Asks, and reads the answer."""
    return asking(capsys)


@pytest.mark.parametrize("question", CHECKS)
def test_of_real_calls(question: str, ledger: Ledger, ask: Callable[..., Any]) -> None:
    """The calls of a small model on a laptop (remake_real_history.py): streamed, cut off, refused, repeated, scored."""
    shutil.copy(REAL, ledger.path)
    runtime().set_up(anew=True)
    raw = Raw(ledger.path)
    assert len(raw.ok) >= 20
    CHECKS[question](raw, ask)


@pytest.mark.parametrize("question", CHECKS)
def test_of_generated_calls(
    question: str, mixed: list[Record], write: Callable[[list[Record]], None], ledger: Ledger, ask: Callable[..., Any]
) -> None:
    """Three models, failures, embeddings, caches, runs, over days."""
    write(mixed)
    CHECKS[question](Raw(ledger.path), ask)


def test_of_nothing(ask: Callable[..., Any]) -> None:
    """Where nothing is recorded, nothing is counted."""
    assert ask("stats")["measures"]["duration_s"]["count"] == ask("check")["calls"] == ask("cost")["calls"] == 0
    assert ask("validate")["runs"][0]["whole"]["verdict"] == "too little"
    assert ask("cost")["cost_usd"] == Decimal(0)
    assert ask("scores")["scores"] == {}
