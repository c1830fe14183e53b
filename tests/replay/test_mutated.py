"""Broken answers over a real wire: the client gets them to the byte, and nothing of ours gets in its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from catalogue.mutations import mutated
from pairs import CLIENTS, DELIVERIES, Pair, some

if TYPE_CHECKING:
    from replaying import Replay


@pytest.mark.parametrize("client", CLIENTS)
def test_client_gets_what_was_sent(client: str, replay: Replay) -> None:
    """Whatever a provider sends, a recorded client reads the same bytes, and there is at most one record."""
    through = [delivery for delivery in DELIVERIES if delivery.client == client]
    for case, body in mutated(60, seed=CLIENTS.index(client)):
        pair = Pair(case.name, case.method, case.url, case.request_body, case.status, case.headers, body, expected={})
        (delivery,) = some(case.name, through)
        assert len(replay.send(pair, delivery)) <= 1
