"""What went wrong has a short name, also where the HTTP status is 200; the provider's prose is never kept."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from reading import events, exchange, read

from nbtokens.runtime import runtime

CHAT: Final = "/v1/chat/completions"
CHUNK: Final = {"id": "1", "model": "m", "choices": [{"index": 0, "delta": {"content": "Because"}}]}
PROSE: Final = "the prompt 'my secret' is refused"


@pytest.mark.parametrize("status", [200, 400, 429])
@pytest.mark.parametrize(
    ("error", "name"),
    [
        ({"type": "invalid_request_error", "code": "model_not_found", "message": PROSE}, "invalid_request_error"),
        ({"type": None, "code": "content_filter", "message": PROSE}, "content_filter"),
        ({"code": 429, "message": PROSE}, "429"),
        ({"status": "RESOURCE_EXHAUSTED", "message": PROSE}, "RESOURCE_EXHAUSTED"),
        ({"message": PROSE}, None),
        ({"type": PROSE * 9}, None),
        (PROSE, None),
        ([PROSE], None),
    ],
    ids=lambda value: str(value)[:30],
)
def test_names(error: Any, name: str | None, status: int) -> None:  # noqa: ANN401 - any JSON value
    """An error is named by its type, code or status, else by the HTTP status that tells of one."""
    call = read(CHAT, {"error": error}, status=status)
    assert call.error == (name or ("error in the answer" if status == 200 else f"HTTP {status}"))
    assert call.complete is False
    assert call.usage_source == "none"


@pytest.mark.parametrize("nothing", [None, "", {}, []])
def test_no_error(nothing: Any) -> None:  # noqa: ANN401 - any JSON value
    """An `error` that is null or empty, as OpenAI's responses have one, is none."""
    assert read("/v1/responses", {"model": "m", "status": "completed", "error": nothing}).error is None


def test_error_in_a_stream() -> None:
    """An error in the middle of a stream makes it one that is not complete, whatever comes after."""
    call = read(CHAT, events(CHUNK, {"error": {"type": "server_error", "message": PROSE}}))
    assert (call.error, call.complete, call.model) == ("server_error", False, "m")


@pytest.mark.parametrize(
    ("body", "kind", "error"),
    [
        (b"<html>Bad gateway</html>", "text/html; charset=utf-8", "unreadable body (text/html)"),
        (b"upstream error", "text/plain", "unreadable body (text/plain)"),
        (b'{"id": "1", "mod', "application/json", "unreadable body (application/json)"),
        (b"", "application/json", "unreadable body (application/json)"),
        (b"\xff\xfe\x00", "", "unreadable body ()"),
    ],
)
def test_unreadable(body: bytes, kind: str, error: str) -> None:
    """A body that is no JSON, with HTTP 200, is an error that says what was sent."""
    assert read(CHAT, body, response_headers={"content-type": kind}).error == error


def test_reader_left_before_the_first_byte() -> None:
    """No body, because its reader did not want it, is no error."""
    call = read(CHAT, b"", complete=False)
    assert (call.error, call.complete) == (None, False)


@pytest.mark.parametrize("body", [{"error": {"type": "content_filter"}}, {"error": PROSE}])
def test_nothing_is_counted_of_a_refused_call(body: dict[str, Any]) -> None:
    """A call that was refused with HTTP 200 used no tokens that anybody knows of: none are estimated."""
    seen = exchange(CHAT, json.dumps(body).encode())
    record = runtime().meter.to_record(seen)
    assert record is not None
    assert (record.status, record.usage_source, record.total_tokens) == ("error", "none", None)
