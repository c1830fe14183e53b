"""What is held of each provider: a cell for each of its formats, plain and streamed, in each client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from catalogue import CASES

if TYPE_CHECKING:
    from catalogue.case import Case

TRANSPORTS: Final = ("httpx", "httpx2", "requests", "aiohttp")
ANYWHERE: Final = "any server"


class Row(NamedTuple):
    """One format of one provider, plain or streamed."""

    provider: str
    api: str
    streamed: bool

    def __str__(self) -> str:
        name = f"{self.provider}-{self.api}-{'stream' if self.streamed else 'plain'}"
        return name.replace(" ", "-")


def _rows() -> dict[Row, list[Case]]:
    rows: dict[Row, list[Case]] = {}
    for case in CASES:
        if case.kind not in ("error", "not_a_call"):
            rows.setdefault(Row(case.provider or ANYWHERE, case.api, case.streamed), []).append(case)
    return {row: rows[row] for row in sorted(rows)}


ROWS: Final = _rows()
"""The cases of each row."""
FAULTS: Final = {kind: [case for case in CASES if case.kind == kind] for kind in ("error", "not_a_call")}
"""What went wrong, and what is no call."""
