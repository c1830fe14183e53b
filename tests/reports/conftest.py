"""What the reports' tests share: records, and the totals of a made-up history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from made_up import maker, mixture

from nbtokens.history.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nbtokens.record import Record


@pytest.fixture(scope="session")
def make_record() -> Callable[..., Record]:
    """Make a call's record of these fields; each begins a minute after the one before it."""
    return maker()


@pytest.fixture
def totals_of() -> Callable[[Iterable[Record]], Totals]:
    def totals_of(records: Iterable[Record]) -> Totals:
        totals = Totals()
        for record in records:
            totals.add(record)
        return totals

    return totals_of


@pytest.fixture(scope="session")
def records(make_record: Callable[..., Record]) -> list[Record]:
    """A history of some days: models, operations and notebooks; failed, estimated, unpriced and cached ones; runs."""
    return mixture(make_record, 60)
