"""Fingerprints tell equal requests, within one project and to nobody else."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from clients import MESSAGES, SDKS, STREAMING_SDKS

from nbtokens.fingerprint import Fingerprints

if TYPE_CHECKING:
    from pathlib import Path

    from ledgers import Ledger, Script

    from nbtokens.demo.endpoint import Endpoint

CHAT: Final = SDKS[0]
CLAUDE: Final = STREAMING_SDKS[-2]
OTHER: Final = [{"role": "user", "content": "And the sea?"}]


def hashes(simulated: Endpoint, ledger: Ledger, *requests: dict[str, Any]) -> list[tuple[str, str]]:
    """The fingerprints of requests to the chat API, made one after another."""
    with CHAT.client(simulated.base_url) as client:
        for request in requests:
            client.chat.completions.create(**{"model": "gpt-5", "messages": MESSAGES, **request})
    return [(row["request_hash"], row["prefix_hash"]) for row in ledger.rows()]


def test_equal_requests(simulated: Endpoint, recording: Ledger) -> None:
    """Equal requests have equal fingerprints; any difference makes another one."""
    made = hashes(simulated, recording, {}, {}, {"temperature": 0.5}, {"model": "gpt-4"}, {"messages": OTHER})
    whole = [one for one, _ in made]
    assert whole[0] == whole[1]
    assert len(set(whole)) == 4


def test_leading_block(simulated: Endpoint, recording: Ledger) -> None:
    """The leading block is tools, system prompt and first message: what a provider's cache could serve."""
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    made = hashes(
        simulated,
        recording,
        {"messages": MESSAGES},
        {"messages": [*MESSAGES, *OTHER], "temperature": 0.5},
        {"messages": [*OTHER, *MESSAGES]},
        {"messages": MESSAGES, "tools": [tool]},
    )
    block = [one for _, one in made]
    assert block[0] == block[1]
    assert len(set(block)) == 3


def test_leading_block_of_messages(simulated: Endpoint, recording: Ledger) -> None:
    """The same for Anthropic, whose system prompt is a key of its own."""
    with CLAUDE.client(simulated.base_url) as client:
        for system in ("Be brief", "Be brief", "Be long"):
            CLAUDE.ask(client, system=system)
    block = [row["prefix_hash"] for row in recording.rows()]
    assert block[0] == block[1] != block[2]


def test_of_no_use_to_others(tmp_path: Path) -> None:
    """A fingerprint can't be found from the text without the project's key; each project has its own."""
    body = [b'{"model": "gpt-5"}']
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    found = [Fingerprints(folder).of(body) for folder in (*folders, folders[0])]
    assert found[0] == found[2] != found[1]
    assert found[0] is not None
    plain = [hashlib.blake2b(body[0], digest_size=len(found[0]) // 2), hashlib.sha256(body[0]), hashlib.md5(body[0])]
    assert not any(one.hexdigest().startswith(found[0]) for one in plain)


@pytest.mark.parametrize("content", ["", "00", "not hexadecimal", "ab" * 31])
def test_damaged_key(content: str, tmp_path: Path) -> None:
    """A key that is empty or damaged, as after a full disk, is not used: the fingerprints stay secret."""
    found = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "fingerprint.key").write_text(content)
        fingerprint = Fingerprints(tmp_path / name).of([b"x"])
        assert fingerprint is not None
        found.add(fingerprint)
    assert len(found) == 2
    assert hashlib.blake2b(b"x", digest_size=len(min(found)) // 2).hexdigest() not in found


def test_no_folder(tmp_path: Path) -> None:
    """Where no key can be kept, fingerprints match within the session."""
    fingerprints = Fingerprints(tmp_path / "missing" / "folder")
    assert fingerprints.of([b"x"]) == fingerprints.of([b"x"]) != fingerprints.of([b"y"])
    assert fingerprints.of([]) is None


def test_from_the_first_call_of_a_project(simulated: Endpoint, script: Script, tmp_path: Path) -> None:
    """Equal requests of two processes match, from the very first call in a new project on."""
    source = """
    import httpx, sys
    import nbtokens

    nbtokens.enable()
    httpx.post(sys.argv[1] + "/v1/completions", json={"model": "gpt-5", "prompt": "Hi"})
    """
    folder = tmp_path / "new" / ".metrics"
    for _ in range(2):
        script(source, simulated.base_url, NBTOKENS_DIR=str(folder))
    rows = json.loads((folder / "usage_history.json").read_text())
    assert rows[0]["request_hash"] == rows[1]["request_hash"]
