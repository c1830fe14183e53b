"""The catalogue, sent through every client and over a real wire: docs/providers.md lists these tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import pytest
from catalogue.cells import FAULTS, ROWS, TRANSPORTS, Row
from pairs import DELIVERIES, Delivery, Pair, some

if TYPE_CHECKING:
    from catalogue.case import Case
    from replaying import Replay

_ALL: Final = os.environ.get("NBTOKENS_REPLAY") == "all"


def troubles(replay: Replay, cases: list[Case], deliveries: list[Delivery]) -> list[str]:
    """What is wrong with the records of some cases, each delivered in one of these ways, or in all of them."""
    found = []
    for case in cases:
        pair = Pair(
            case.name, case.method, case.url, case.request_body, case.status, case.headers, case.body, expected={}
        )
        for delivery in deliveries if _ALL else some(case.name, deliveries):
            trouble = case.trouble(replay.send(pair, delivery))
            if trouble is not None:
                found.append(f"{case.name} {delivery}: {trouble}")
    return found


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_cell(replay: Replay, row: Row, transport: str) -> None:
    """What a provider answers in one of its formats is read exactly, whichever client gets it."""
    through = [delivery for delivery in DELIVERIES if delivery.client.partition("-")[0] == transport]
    assert not troubles(replay, ROWS[row], through)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("kind", FAULTS)
def test_faults(replay: Replay, kind: str, transport: str) -> None:
    """A failed call is one record that says so; what is no call is none."""
    through = [delivery for delivery in DELIVERIES if delivery.client.partition("-")[0] == transport]
    assert not troubles(replay, FAULTS[kind], through)
