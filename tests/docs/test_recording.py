"""The examples of docs/recording.md run, in their order, and do what the page says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ledgers import ROOT

import nbtokens

if TYPE_CHECKING:
    import pytest
    from ledgers import Ledger

PAGE = (ROOT / "docs" / "recording.md").read_text(encoding="utf-8")


def test_every_example_runs(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """Each block runs as it stands; three calls and a hit are recorded, and the last block prints the hit."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "recording.md", "exec"), names)
    calls, (hit,) = ledger.rows(), ledger.rows("cache_hit")
    assert [call["usage_source"] for call in calls] == ["reported", "reported", "estimated"]
    assert [call["input_tokens"] for call in calls[:2]] == [1200, 1200]
    assert calls[2]["operation"] == "answer"
    assert capsys.readouterr().out.split()[:2] == ["1", "1280"]
    assert hit["saved_cost_usd"] == calls[0]["cost_usd"] > 0


def test_links_lead_somewhere() -> None:
    """Each file that the page links to is there, and each function that it names is public."""
    for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists()
    named = set(re.findall(r"nbtokens\.(\w+)\(", PAGE)) | set(re.findall(r"`nbtokens\.(\w+)`", PAGE))
    assert named <= set(nbtokens.__all__)
    assert {"usage_of", "record_response", "recorded", "record_cache_hit"} <= named
