"""`%tokens streams`: exact figures of streams, where the user wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from nbtokens.transports.exact_streams import Switch, switch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Ledger
    from running import Shell

    from nbtokens.demo.endpoint import Endpoint

STREAM = (
    "chunks = [*gpt.chat.completions.create(model='gpt-5', messages=[{'role': 'user', 'content': 'hi'}], stream=True)]"
)


@pytest.fixture(autouse=True)
def switched_back() -> Iterator[None]:
    """What a test switches on is off after it."""
    yield
    vars(switch).update(vars(Switch()))


def test_exact_until_off(shell: Shell, ledger: Ledger, simulated: Endpoint) -> None:
    """From `exact` on, a stream's figures are reported, and its chunks are those that came before; until `off`."""
    switch._recognised.add(urlsplit(simulated.base_url).netloc)
    seen = []
    for magic in ("'nothing'", "%tokens streams exact", "%tokens streams off"):
        shell(magic)
        shell(STREAM)
        seen.append([(chunk.usage, len(chunk.choices)) for chunk in shell("chunks").value])
    assert [row["usage_source"] for row in ledger.rows()] == ["estimated", "reported", "estimated"]
    assert seen[0] == seen[1] == seen[2]
    assert all(chunk == (None, 1) for chunk in seen[0])


@pytest.mark.parametrize("arguments", ["", "on", "exact now"])
def test_other_words(shell: Shell, arguments: str) -> None:
    """Any other word is an error that names the two."""
    ran = shell(f"%tokens streams {arguments}", fails=True)
    assert "%tokens streams takes `exact` or `off`" in ran.out + ran.err
