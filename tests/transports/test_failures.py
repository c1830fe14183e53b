"""When a call fails, the user's exception is the one without nbtokens, and there is one record that says so."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from clients import CHAT_REQUEST, SDKS, Client, Http, Result, Sdk, entered, items, settled
from servers import PATIENCE, Answer, ScriptedServer, as_events, as_json, event, refusing_url

import nbtokens

if TYPE_CHECKING:
    from ledgers import Ledger

PATH: Final = "/v1/chat/completions"
PAGE: Final = b"<!DOCTYPE html><html><body><h1>Bad gateway</h1></body></html>"
HTML: Final = {"content-type": "text/html; charset=utf-8"}
REFUSED: Final = {"error": {"message": "No such model", "type": "invalid_request_error", "param": None, "code": None}}
BUSY: Final = {"error": {"message": "Slow down", "type": "rate_limit_error", "param": None, "code": "rate_limited"}}
FIRST: Final = event({"model": "gpt-5", "choices": [{"index": 0, "delta": {"content": "Because"}}]})

ANSWERS: Final = {
    "bad request": as_json(REFUSED, 400, x_request_id="req_1"),
    "busy": as_json(BUSY, 429, retry_after="7"),
    "server error": as_json({"error": {"message": "Oh", "type": "server_error"}}, 500),
    "page with 502": Answer(PAGE, 502, HTML),
    "page with 200": Answer(PAGE, 200, HTML),
    "cut JSON": Answer(b'{"id": "1", "model": "gpt-5", "choices": [{"ind'),
    "JSON cut below its length": Answer(b'{"id": "1", "model": "gpt-5", "cho', end="cut"),
    "reset": Answer(b'{"id": "1"', end="reset"),
    "no answer": Answer(end="never"),
    "nobody there": Answer(),
    "cut stream": as_events(FIRST, end="cut"),
    "reset stream": as_events(FIRST, end="reset"),
}
_ADDRESS_IN_MEMORY: Final = re.compile(r"\b[0-9a-f]{12}\b")
STREAMED: Final = ("cut stream", "reset stream")


def description(error: BaseException | None) -> list[Any]:
    """What a user can see of an exception: its types, texts and attributes, and those of its causes."""
    seen: list[Any] = []
    while error is not None:
        attributes = {name: plain(value) for name, value in vars(error).items()}
        seen.append((type(error), plain(str(error)), [plain(one) for one in error.args], attributes))
        seen.append((error.__suppress_context__, error.__cause__ is None, error.__context__ is None))
        error = error.__cause__ or error.__context__
    return seen


def plain(value: Any) -> Any:  # noqa: ANN401 - an exception's attribute
    """A value in a form that can be compared."""
    if type(value).__name__ == "Response":
        return (type(value), value.status_code, value.headers.get("content-type"), value.is_closed)
    if type(value).__name__ == "Request":
        return (type(value), value.method, str(value.url).rpartition(":")[2].partition("/")[2])
    if isinstance(value, str):
        return _ADDRESS_IN_MEMORY.sub("at", value)
    if isinstance(value, BaseException):
        return (type(value), plain(str(value)))
    return value if isinstance(value, int | float | dict | list | None) else type(value)


async def outcome(calling: Result) -> list[Any]:
    """What comes of a call: the description of the exception that it raises, or what it gives."""
    try:
        got = await settled(calling())
        if hasattr(got, "__iter__") or hasattr(got, "__aiter__"):
            got = [item async for item in items(got)]
    except Exception as error:  # noqa: BLE001 - whatever it is
        return description(error)
    return [type(got), getattr(got, "text", repr(got))]


def time_out(answer: str, module: Any) -> Any:  # noqa: ANN401 - each module has a Timeout of its own
    """How long a client waits: as long as it takes, but for an answer that never comes."""
    return module.Timeout(PATIENCE, read=0.1 if answer == "no answer" else PATIENCE)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("sdk", [one for one in SDKS if one.api in ("openai.chat", "anthropic.messages")], ids=str)
async def test_same_exception_of_the_sdks(sdk: Sdk, answer: str, server: ScriptedServer, ledger: Ledger) -> None:
    """The exception's type, text and attributes are those without nbtokens; one record with status error."""
    server.will(ANSWERS[answer])
    url = refusing_url() if answer == "nobody there" else server.url
    options = {"stream": True} if answer in STREAMED else {}
    async with entered(sdk.client(url, timeout=time_out(answer, sdk.module))) as client:
        without = await outcome(lambda: sdk.ask(client, **options))
        nbtokens.enable()
        assert await outcome(lambda: sdk.ask(client, **options)) == without
    row = ledger.only()
    assert (row["status"], row["complete"], row["request_model"]) == ("error", False, "gpt-5")
    assert row["error"]


async def read_in_full(client: Client, http: Http, url: str) -> bytes:
    """Read the bytes of a streamed response."""
    async with entered(client.stream("POST", url, json=CHAT_REQUEST)) as response:
        return b"".join([part async for part in items(http.method(response, "iter_raw")())])


@pytest.mark.parametrize("way", ["plain", "stream"])
@pytest.mark.parametrize("answer", ANSWERS)
async def test_same_exception_of_the_clients(
    http: Http, answer: str, way: str, server: ScriptedServer, ledger: Ledger
) -> None:
    """The same for httpx and httpx2 themselves."""
    server.will(ANSWERS[answer])
    url = (refusing_url() if answer == "nobody there" else server.url) + PATH
    async with entered(http.client(timeout=time_out(answer, http.module))) as client:

        def calling() -> Result:
            return read_in_full(client, http, url) if way == "stream" else client.post(url, json=CHAT_REQUEST)

        without = await outcome(calling)
        nbtokens.enable()
        assert await outcome(calling) == without
    row = ledger.only()
    assert (row["status"], row["complete"], row["request_model"]) == ("error", False, "gpt-5")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("bad request", {"http_status": 400, "error": "invalid_request_error", "request_id": "req_1"}),
        ("busy", {"http_status": 429, "error": "rate_limit_error", "retry_after_s": 7.0}),
        ("server error", {"http_status": 500, "error": "server_error"}),
        ("page with 502", {"http_status": 502, "error": "HTTP 502"}),
        ("page with 200", {"http_status": 200, "error": "unreadable body (text/html)"}),
        ("cut JSON", {"http_status": 200, "error": "unreadable body (application/json)"}),
        ("no answer", {"error": "ReadTimeout"}),
        ("nobody there", {"error": "ConnectError"}),
        ("JSON cut below its length", {"error": "RemoteProtocolError"}),
    ],
)
def test_what_the_record_says(answer: str, expected: dict[str, Any], server: ScriptedServer, recording: Ledger) -> None:
    """The record names the provider's error or the client's exception, and the wait that was asked for."""
    server.will(ANSWERS[answer])
    url = refusing_url() if answer == "nobody there" else server.url
    sdk = SDKS[0]
    with sdk.client(url, timeout=time_out(answer, sdk.module)) as client, pytest.raises(Exception):  # noqa: B017, PT011 - any
        sdk.ask(client).choices[0].message.content.upper()
    row = recording.only()
    assert {name: row.get(name) for name in expected} == expected


@pytest.mark.parametrize("answer", ["bad request", "busy", "page with 502", "nobody there", "page with 200"])
def test_a_refused_call_costs_nothing(answer: str, server: ScriptedServer, recording: Ledger) -> None:
    """No tokens are made up for a call that no model has answered."""
    server.will(ANSWERS[answer])
    url = refusing_url() if answer == "nobody there" else server.url
    with SDKS[0].client(url) as client, pytest.raises(Exception):  # noqa: B017, PT011 - any
        SDKS[0].ask(client).choices[0].message.content.upper()
    row = recording.only()
    assert row["usage_source"] == "none"
    assert not row.keys() & {"input_tokens", "output_tokens", "total_tokens", "cost_usd"}


@pytest.mark.parametrize("sdk", [one for one in SDKS if one.api in ("openai.chat", "anthropic.messages")], ids=str)
async def test_retries(sdk: Sdk, server: ScriptedServer, recording: Ledger) -> None:
    """Each attempt of an SDK that tries again is a record of its own, with its number."""
    busy = as_json(BUSY, 429, retry_after_ms="1")
    server.will(busy, busy, as_json({"id": "1", "model": "gpt-5", "choices": [], "content": []}))
    async with entered(sdk.client(server.url, max_retries=2)) as client:
        await settled(sdk.ask(client))
    rows = recording.rows()
    assert [(row["retry_count"], row["status"], row["http_status"]) for row in rows] == [
        (0, "error", 429),
        (1, "error", 429),
        (2, "ok", 200),
    ]
    assert [row.get("retry_after_s") for row in rows] == [0.001, 0.001, None]
    assert len({row["id"] for row in rows}) == 3
    assert len({row["request_hash"] for row in rows}) == 1
    assert all(one["started_at"] <= two["started_at"] for one, two in itertools.pairwise(rows))
