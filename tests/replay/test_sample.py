"""Real traffic of providers, where a sample of it lies beside the repository, through every client and a real wire.

Each pair is delivered in a few ways, others for each pair; with NBTOKENS_REPLAY=all in all of them.
`benchmarks/replay.py` does the same for any file of traffic.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from pairs import DELIVERIES, Pair, some

if TYPE_CHECKING:
    from replaying import Replay

SAMPLE: Final = Path(__file__).parents[3] / "shared" / "traffic" / "sample.jsonl"
pytestmark = pytest.mark.skipif(not SAMPLE.is_file(), reason="there is no sample of traffic beside the repository")
_WAYS: Final = len(DELIVERIES) if os.environ.get("NBTOKENS_REPLAY") == "all" else 2


def pairs_by_provider() -> dict[str, list[Pair]]:
    """The pairs of the sample."""
    found: dict[str, list[Pair]] = {}
    if SAMPLE.is_file():
        with SAMPLE.open(encoding="utf-8") as file:
            for pair in map(Pair.of, map(json.loads, file)):
                found.setdefault(pair.expected["provider"] or "others", []).append(pair)
    return found


PAIRS: Final = pairs_by_provider()


@pytest.mark.parametrize("provider", PAIRS)
def test_pairs_of(replay: Replay, provider: str) -> None:
    """Each pair is recorded exactly once and exactly as it was, or not at all; the client gets what was sent."""
    troubles = []
    for pair in PAIRS[provider]:
        for delivery in some(pair.name, count=_WAYS):
            trouble = pair.trouble(replay.send(pair, delivery))
            if trouble is not None:
                troubles.append(f"{pair.name} {delivery}: {trouble}")
    assert not troubles, "\n".join(troubles)
