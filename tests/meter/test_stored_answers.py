"""Answers that are fetched later: of background work, and of batches. Each is one call, once, whoever asks again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest
from catalogue.anthropic_cases import message
from catalogue.case import lines, plain
from catalogue.google_cases import USAGE as GEMINI_USAGE
from catalogue.google_cases import part
from catalogue.openai_cases import USAGE

from nbtokens.exchange import Address, Exchange
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from nbtokens.record import Record

OPENAI: Final = "https://api.openai.com/v1"
_CHAT: Final = {"id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-5", "choices": [], "usage": USAGE}
_RESPONSE: Final = {
    "id": "resp_1",
    "object": "response",
    "model": "gpt-5",
    "status": "completed",
    "usage": {"input_tokens": 19, "output_tokens": 10, "total_tokens": 29},
}


def exchange(method: str, url: str, body: bytes, sent: Any = None, **others: Any) -> Exchange:  # noqa: ANN401 - any JSON value
    """An exchange that a transport would hand over."""
    parts = urlsplit(url)
    address = Address(parts.scheme, parts.hostname or "", parts.port, parts.path)
    request = None if sent is None else json.dumps(sent).encode()
    return Exchange(method, address, request_body=request, body=body, **{"status": 200, "duration": 9.0, **others})


def recorded(*exchanges: Exchange) -> list[Record]:
    """The records of some exchanges, one after the other."""
    for one in exchanges:
        runtime().meter.observe(one)
        runtime().settle()
    return list(runtime().store.records())


def answer_lines(*answers: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """A result file as OpenAI and Mistral write it."""
    return lines(
        *({"custom_id": str(n), "response": {"status_code": 200, "body": one}} for n, one in enumerate(answers))
    )


ANTHROPIC: Final = lines(
    {"custom_id": "a", "result": {"type": "succeeded", "message": {**message(), "id": "msg_1"}}},
    {"custom_id": "b", "result": {"type": "succeeded", "message": {**message(), "id": "msg_2"}}},
    {"custom_id": "c", "result": {"type": "errored", "error": {"type": "invalid_request"}}},
)
XAI: Final = plain(
    {
        "results": [
            {"batch_request_id": "a", "batch_result": {"response": {"chat_get_completion": _CHAT}}},
            {"batch_request_id": "b", "batch_result": {"response": {"chat_get_completion": {**_CHAT, "id": "2"}}}},
        ]
    }
)
BATCHES: Final = {
    "openai": (f"{OPENAI}/files/file-1/content", answer_lines(_CHAT, {**_CHAT, "id": "chatcmpl-2"}), 19),
    "openai responses": (f"{OPENAI}/files/file-1/content", answer_lines(_RESPONSE, {**_RESPONSE, "id": "resp_2"}), 19),
    "mistral": ("https://api.mistral.ai/v1/files/f1/content", answer_lines(_CHAT, {**_CHAT, "id": "2"}), 19),
    "anthropic": ("https://api.anthropic.com/v1/messages/batches/msgbatch_1/results", ANTHROPIC, 19),
    "xai": ("https://api.x.ai/v1/batches/batch_1/results", XAI, 19),
    "gemini": (
        "https://generativelanguage.googleapis.com/download/v1beta/files/batch-1:download",
        lines(
            *({"key": key, "response": part("Because.", GEMINI_USAGE, responseId=key)} for key in ("first", "second"))
        ),
        19,
    ),
}


@pytest.mark.parametrize("name", BATCHES)
def test_each_line_is_a_call(name: str) -> None:
    """Each answer in a result file is one call at the batch price, without a duration; a second look adds none."""
    url, body, read = BATCHES[name]
    records = recorded(exchange("GET", url, body), exchange("GET", url, body))
    assert [record.input_tokens for record in records] == [read, read]
    assert [record.output_tokens for record in records] == [10, 10]
    assert {record.service_tier for record in records} == {"batch"}
    assert {record.duration_s for record in records} == {None}
    assert len({record.response_id for record in records}) == len(records)


def test_embeddings_have_no_id() -> None:
    """Where answers carry no id, the file and the line are one."""
    embedded = {"object": "list", "data": [], "model": "e", "usage": {"prompt_tokens": 8, "total_tokens": 8}}
    file = exchange("GET", f"{OPENAI}/files/file-1/content", answer_lines(embedded, embedded))
    records = recorded(file, file)
    assert [record.input_tokens for record in records] == [8, 8]


@pytest.mark.parametrize(
    "body",
    [
        b'{"prompt": "a", "completion": "b"}\n',
        b"step,loss\n1,0.5\n",
        b"\x89PNG\r\n",
        b'{"id": "batch_1", "usage": 7}',
        lines({"custom_id": "a", "response": {"body": {"error": {"message": "no"}}}}),
        b"",
    ],
)
def test_other_files(body: bytes) -> None:
    """Files that hold no answers are no calls."""
    assert recorded(exchange("GET", f"{OPENAI}/files/file-1/content", body)) == []


def test_background_answer() -> None:
    """A response that was asked for in the background is one call: asked for, looked at, done, and looked at again."""
    waiting = plain({**_RESPONSE, "status": "queued", "usage": None})
    done = exchange("GET", f"{OPENAI}/responses/resp_1", plain(_RESPONSE))
    asked = exchange("POST", f"{OPENAI}/responses", waiting, {"model": "gpt", "input": "Why?", "background": True})
    running = exchange("GET", f"{OPENAI}/responses/resp_1", waiting)
    (record,) = recorded(asked, running, done, done)
    assert (record.input_tokens, record.output_tokens, record.status) == (19, 10, "ok")
    assert (record.model, record.request_model, record.duration_s) == ("gpt-5", "gpt", None)


def test_answer_that_came_at_once() -> None:
    """An answer that was recorded when it came is not recorded again when it is fetched."""
    asked = exchange("POST", f"{OPENAI}/responses", plain(_RESPONSE), {"model": "gpt", "input": "Why?"})
    (record,) = recorded(asked, exchange("GET", f"{OPENAI}/responses/resp_1", plain(_RESPONSE)))
    assert record.duration_s == 9.0


def test_answer_of_another_process() -> None:
    """An answer whose request this process knows nothing of is a call, once."""
    run = {"id": "run_1", "object": "thread.run", "model": "gpt-5", "status": "completed", "usage": USAGE}
    fetched = exchange("GET", f"{OPENAI}/threads/thread_1/runs/run_1", plain(run))
    (record,) = recorded(fetched, fetched)
    assert (record.api, record.input_tokens, record.output_tokens) == ("openai.runs", 19, 10)


def test_answer_that_nobody_fetched() -> None:
    """What was only accepted is a call without figures, in the end."""
    waiting = plain({**_RESPONSE, "status": "queued", "usage": None})
    assert recorded(exchange("POST", f"{OPENAI}/responses", waiting, {"model": "gpt", "input": "Why?"})) == []
    runtime().settle(at_exit=True)
    (record,) = runtime().store.records()
    assert (record.usage_source, record.total_tokens, record.response_id) == ("none", None, "resp_1")
