"""Whatever becomes of a provider's answer: reading it raises nothing. `benchmarks/fuzz.py` does it by the 100,000."""

from __future__ import annotations

import pytest
from catalogue.mutations import mutated
from test_catalogue import exchange_of

from nbtokens.record import decode, encode
from nbtokens.runtime import runtime


@pytest.mark.parametrize("seed", range(4))
def test_mutated_bodies(seed: int) -> None:
    """A thousand bodies: each is read without a fault, and what comes of it can be written and read back."""
    for case, body in mutated(1000, seed):
        record = runtime().meter.to_record(exchange_of(case, body))
        if record is not None:
            assert decode(encode(record)).id == record.id, (case.name, body)
