"""Texts of requests and answers: never kept, unless one asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import openai
import pytest

import nbtokens

if TYPE_CHECKING:
    from ledgers import Ledger

    from nbtokens.demo.endpoint import Endpoint


@pytest.mark.parametrize("kept", [True, False])
def test_content_is_kept_where_one_asks_for_it(*, kept: bool, ledger: Ledger, simulated: Endpoint) -> None:
    """With `capture_content` a row holds what went in and came out; without it no file of the ledger does."""
    ledger.folder.with_name("nbtokens.toml").write_text(f"capture_content = {str(kept).lower()}\n")
    nbtokens.enable()
    with openai.OpenAI(base_url=f"{simulated.base_url}/v1", api_key="none") as client:
        answer = client.chat.completions.create(
            model=simulated.model, messages=[{"role": "user", "content": "a question of mine"}]
        )
    written = answer.choices[0].message.content
    assert written
    row = ledger.only()
    assert row.get("content") == ({"input": "user\na question of mine", "output": written} if kept else None)
    assert (b"a question of mine" in ledger.everything()) is kept
