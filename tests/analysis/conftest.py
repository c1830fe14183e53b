"""What the tests of the analysis share: made-up histories with known answers, written through the real store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from made_up import maker, mixture

from nbtokens.history import open_history

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ledgers import Ledger

    from nbtokens.record import Record


@pytest.fixture(scope="session")
def make() -> Callable[..., Record]:
    """Make a record of these fields; each begins a minute after the one before it."""
    return maker()


@pytest.fixture
def write(ledger: Ledger) -> Callable[[Iterable[Record]], None]:
    """Put records into the test's ledger."""

    def write(records: Iterable[Record]) -> None:
        told: list[str] = []
        store = open_history(ledger.folder, told.append)
        for record in records:
            store.append(record)
        assert told == []

    return write


@pytest.fixture
def mixed(make: Callable[..., Record]) -> list[Record]:
    """A history of some days: models, operations, users, tags; failed, unpriced, cached ones; runs."""
    return mixture(make, 300)
