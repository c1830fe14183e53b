"""When the made-up histories begin."""

from datetime import UTC, datetime
from typing import Final

BEGAN: Final = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
"""A Monday."""
