"""One line in the log for each call."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from clients import SDKS, STREAMING_SDKS

import nbtokens

if TYPE_CHECKING:
    from ledgers import Ledger

    from nbtokens.demo.endpoint import Endpoint

LINE: Final = re.compile(
    r"Token usage: prompt=\d+, completion=\d+, total=\d+, model=[\w.-]+, cost=(\$\d+\.\d+|unpriced), "
    r"throughput=(\d+\.\d tokens/sec|n/a)"
)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is logged at INFO, as it grows."""
    caplog.set_level(logging.INFO, "nbtokens")
    return _Messages(caplog)


class _Messages(list[str]):
    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    def __iter__(self) -> Any:  # noqa: ANN401 - strings
        return iter([one.getMessage() for one in self._caplog.records if one.name == "nbtokens"])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"input_tokens": 1234, "output_tokens": 567, "cost_usd": 0.0123, "duration_s": 567 / 45.2},
            "Token usage: prompt=1234, completion=567, total=1801, model=M, cost=$0.0123, throughput=45.2 tokens/sec",
        ),
        (
            {"input_tokens": 8},
            "Token usage: prompt=8, completion=0, total=8, model=M, cost=unpriced, throughput=n/a",
        ),
        (
            {"input_tokens": 8, "cost_usd": 0, "status": "error", "error": "Oh"},
            "Token usage: prompt=8, completion=0, total=8, model=M, cost=$0.00, throughput=n/a, error=Oh",
        ),
    ],
)
def test_exact_line(fields: dict[str, Any], expected: str, lines: list[str]) -> None:
    """Tokens, model, cost and speed, in exactly this form; an unknown price is said to be one."""
    nbtokens.record(model="M", **fields)
    assert list(lines) == [expected]


@pytest.mark.parametrize("sdk", [SDKS[0], SDKS[6], STREAMING_SDKS[-2]], ids=str)
def test_line_of_a_call(sdk: Any, simulated: Endpoint, recording: Ledger, lines: list[str]) -> None:  # noqa: ANN401
    """Every call logs one line, on the logger `nbtokens`."""
    with sdk.client(simulated.base_url) as client:
        sdk.ask(client)
    found = [line for line in lines if line.startswith("Token")]
    assert len(found) == 1
    assert LINE.fullmatch(found[0])


def test_quiet_by_default(simulated: Endpoint, recording: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is logged at WARNING or above when all is well."""
    caplog.set_level(logging.WARNING, "nbtokens")
    with SDKS[0].client(simulated.base_url) as client:
        SDKS[0].ask(client)
    assert recording.rows()
    assert [one for one in caplog.records if one.name.startswith("nbtokens")] == []
