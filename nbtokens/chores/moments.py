"""Times as one types them."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Final

_MONTH: Final = len("2026-10")


def moment(text: str) -> datetime:
    """A month, a day or a time, as `2026-10`, `2026-10-31` or `2026-10-31T12:00`; UTC where no zone is given."""
    try:
        at = datetime.fromisoformat(f"{text}-01" if len(text) == _MONTH else text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date; one looks like 2026-10 or 2026-10-31") from error
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
