"""One server and one client of each kind for all that is replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from replaying import replaying

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replaying import Replay


@pytest.fixture(scope="module")
def replay() -> Iterator[Replay]:
    """Hooks its clients while it sends, and at no other time."""
    with replaying() as running:
        yield running
