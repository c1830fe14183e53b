"""The run that calls belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from clients import SDKS

import nbtokens

if TYPE_CHECKING:
    from ledgers import Ledger

    from nbtokens.demo.endpoint import Endpoint

CHAT: Final = SDKS[0]


def test_from_here_on(ledger: Ledger) -> None:
    """A run that is named holds for all calls from there on, until the next one is named."""
    nbtokens.record(model="m", input_tokens=1, cost_usd=0)
    nbtokens.run_id("first")
    nbtokens.record(model="m", input_tokens=1, cost_usd=0)
    nbtokens.run_id("second")
    nbtokens.record(model="m", input_tokens=1, cost_usd=0)
    assert [row.get("run_id") for row in ledger.rows()] == [None, "first", "second"]


def test_block(simulated: Endpoint, recording: Ledger) -> None:
    """In a block it holds until the block's end, nested or not; then the one before holds again."""
    with CHAT.client(simulated.base_url) as client:
        with nbtokens.run_id("outer") as run:
            with nbtokens.run_id("inner"):
                CHAT.ask(client)
            CHAT.ask(client)
        CHAT.ask(client)
    assert [row.get("run_id") for row in recording.rows()] == ["inner", "outer", None]
    assert (run.name, repr(run)) == ("outer", "<run 'outer'>")


@pytest.mark.parametrize("variable", ["NBTOKENS_RUN_ID", "PAPERMILL_RUN_ID"])
def test_environment(variable: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names the run, as papermill does; what is named in code comes first."""
    monkeypatch.setenv(variable, "nightly")
    nbtokens.enable()
    nbtokens.record(model="m", input_tokens=1, cost_usd=0)
    with nbtokens.run_id("mine"):
        nbtokens.record(model="m", input_tokens=1, cost_usd=0)
    assert [row["run_id"] for row in ledger.rows()] == ["nightly", "mine"]


def test_own_variable_comes_first(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of both variables, nbtokens' own counts."""
    monkeypatch.setenv("PAPERMILL_RUN_ID", "papermill's")
    monkeypatch.setenv("NBTOKENS_RUN_ID", "ours")
    nbtokens.enable()
    nbtokens.record(model="m", input_tokens=1, cost_usd=0)
    assert ledger.only()["run_id"] == "ours"


def test_run_of_a_stream(simulated: Endpoint, recording: Ledger) -> None:
    """A stream belongs to the run in which it was asked for, also when it is read later."""
    with CHAT.client(simulated.base_url) as client:
        with nbtokens.run_id("x"):
            stream = CHAT.ask(client, stream=True)
        assert list(stream)
    assert recording.only()["run_id"] == "x"
