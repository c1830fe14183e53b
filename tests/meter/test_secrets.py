"""Keys, prompts and answers are nowhere in the ledger and nowhere in the log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import pytest
from clients import Http, entered, items, settled
from ledgers import let_the_writer_finish
from servers import Answer, ScriptedServer, as_events, as_json, event

import nbtokens

if TYPE_CHECKING:
    from ledgers import Ledger

KEY: Final = "sk-proj-5ecre7"
PROMPT: Final = "Zebrafinken"
ANSWER: Final = "Kolibris"
PROSE: Final = f"Incorrect API key provided: {KEY}, for {PROMPT}"
HEADERS: Final = {
    "authorization": f"Bearer {KEY}",
    "x-api-key": KEY,
    "api-key": KEY,
    "cookie": f"session={KEY}",
    "openai-organization": KEY,
}
REQUEST: Final[dict[str, Any]] = {
    "model": "gpt-5",
    "max_tokens": 9,
    "messages": [{"role": "system", "content": PROMPT}, {"role": "user", "content": PROMPT}],
    "tools": [{"type": "function", "function": {"name": "look", "description": PROMPT}}],
    "user": PROMPT,
    "metadata": {"about": PROMPT},
}
SAID: Final = {"model": "gpt-5", "choices": [{"delta": {"content": ANSWER}, "message": {"content": ANSWER}}]}
ANSWERS: Final = {
    "plain": as_json({**SAID, "usage": {"prompt_tokens": 1, "completion_tokens": 1}}, set_cookie=f"a={KEY}"),
    "no usage": as_json(SAID),
    "stream": as_events(event(SAID), b"data: [DONE]\n\n"),
    "cut stream": as_events(event(SAID), end="cut"),
    "refused": as_json({"error": {"message": PROSE, "type": "invalid_request_error", "code": None}}, 401),
    "refused in prose": as_json({"error": PROSE}, 401),
    "no JSON": Answer(PROSE.encode(), 502, {"content-type": "text/plain"}),
    "no answer": Answer(end="reset"),
}
SECRETS: Final = (KEY, PROMPT, ANSWER)


@pytest.mark.parametrize("answer", ANSWERS)
async def test_nowhere(
    http: Http, answer: str, server: ScriptedServer, recording: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    """Keys in the URL's query, in its user part and in headers, and all that was said, whatever came of the call."""
    server.will(ANSWERS[answer])
    url = f"http://{KEY}:{KEY}@{server.address}/v1/chat/completions?key={KEY}&api-version=1"
    with caplog.at_level(logging.DEBUG, "nbtokens"):
        async with entered(http.client(headers=HEADERS)) as client:
            for _ in range(2):
                try:
                    async with entered(client.stream("POST", url, json=REQUEST)) as response:
                        assert [part async for part in items(http.method(response, "iter_raw")())]
                    await settled(client.post(url, json=REQUEST))
                except http.module.TransportError:
                    continue
        nbtokens.disable()
    assert server.asked[0].target.endswith(f"?key={KEY}&api-version=1")
    assert recording.rows()
    kept = recording.everything().decode()
    logged = "\n".join(one.getMessage() for one in caplog.records if one.name.startswith("nbtokens"))
    assert "usage_history.json" in kept
    assert "Token usage" in logged
    for secret in SECRETS:
        assert secret not in kept
        assert secret not in logged


def test_what_the_record_has_instead(server: ScriptedServer, recording: Ledger) -> None:
    """The record has the server's address and the name of the error."""
    import httpx  # noqa: PLC0415 - not under the name of the fixture

    server.will(ANSWERS["refused"])
    httpx.post(f"{server.url}/v1/chat/completions?key={KEY}", json=REQUEST, headers=HEADERS)
    row = recording.only()
    assert (row["server_address"], row["error"], row["http_status"]) == (server.address, "invalid_request_error", 401)


def test_files_are_the_owners(server: ScriptedServer, recording: Ledger) -> None:
    """The history and the fingerprints' key can be read by their owner only, and git is told to leave them out."""
    import httpx  # noqa: PLC0415 - not under the name of the fixture

    recording.folder.rmdir()
    server.will(ANSWERS["plain"])
    httpx.post(f"{server.url}/v1/chat/completions", json=REQUEST)
    let_the_writer_finish()
    modes = {path.name: path.stat().st_mode & 0o777 for path in recording.folder.iterdir()}
    assert modes["usage_history.json"] == 0o600
    assert modes["USAGE_SUMMARY.md"] == 0o600
    assert modes.get("fingerprint.key", 0o600) == 0o600
    assert "*" in (recording.folder / ".gitignore").read_text().splitlines()
