"""requests: every way to read, or not to read, a response is one record, and the response is what it was."""

from __future__ import annotations

import gc
import gzip
import json
import pickle
import threading
from typing import TYPE_CHECKING, Any, Final

import pytest
import requests
import urllib3
from ledgers import let_the_writer_finish
from servers import PATIENCE, Answer, ScriptedServer, as_events, as_json, event, joined

import nbtokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ledgers import Ledger

PATH: Final = "/v1/chat/completions"
REQUEST: Final = {"model": "gpt-5", "messages": [{"role": "user", "content": "Why is the sky blue?"}]}
DOCUMENT: Final = {"model": "gpt-5", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5}}
PIECES: Final = (
    event({"model": "gpt-5", "choices": [{"index": 0, "delta": {"content": "Because " * 10}}]}),
    event(DOCUMENT) + b"data: [DONE]\n\n",
)
PACKED: Final = gzip.compress(json.dumps(DOCUMENT).encode())
_GZIP: Final = {"content-type": "application/json", "content-encoding": "gzip"}
ANSWERS: Final = {
    "json": as_json(DOCUMENT),
    "events": as_events(*PIECES),
    "gzip": Answer(PACKED, headers=_GZIP),
    "gzip in pieces": Answer(headers=_GZIP, pieces=[PACKED[:20], PACKED[20:]]),
}


def until_empty(read: Callable[[], bytes]) -> list[bytes]:
    return list(iter(read, b""))


def lines_of(raw: Any) -> list[bytes]:  # noqa: ANN401 - urllib3's response
    raw.auto_close = False  # as urllib3 asks for where a response is read by lines
    return until_empty(raw.readline)


WAYS: Final[dict[str, Callable[[requests.Response], Any]]] = {
    "content": lambda response: response.content,
    "text": lambda response: response.text,
    "iter_content": lambda response: list(response.iter_content(7)),
    "iter_content as it comes": lambda response: list(response.iter_content(None)),
    "iter_lines": lambda response: list(response.iter_lines()),
    "iter": list,
    "raw.read": lambda response: response.raw.read(),
    "raw.read decoded": lambda response: response.raw.read(decode_content=True),
    "raw.read in sevens": lambda response: until_empty(lambda: response.raw.read(7)),
    "raw.read1": lambda response: until_empty(response.raw.read1),
    "raw.stream": lambda response: list(response.raw.stream(7)),
    "raw.data": lambda response: response.raw.data,
    "raw by lines": lambda response: list(response.raw),
    "raw.readline": lambda response: lines_of(response.raw),
}


def seen(response: requests.Response) -> list[Any]:
    """What a user can see of a response that is the same each time."""
    raw = response.raw
    return [
        (response.status_code, response.reason, response.encoding, response.ok, response.is_redirect),
        [(name, value) for name, value in response.headers.items() if name != "Date"],
        sorted(vars(response)),
        (type(raw).__name__, type(raw).__module__, isinstance(raw, urllib3.HTTPResponse), raw.status, raw.version),
        (raw.closed, raw.isclosed(), raw.tell(), raw.length_remaining, raw.chunked, raw.decode_content),
        (response.request.method, response.request.body),
    ]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_same_response(answer: str, way: str, server: ScriptedServer, ledger: Ledger) -> None:
    """What a stream gives, in each way to read it, is what it gives without nbtokens; and it is one record."""
    server.will(ANSWERS[answer])
    outcomes = []
    for enable in (False, True):
        if enable:
            nbtokens.enable()
        with requests.post(server.url + PATH, json=REQUEST, stream=True, timeout=PATIENCE) as response:
            outcomes.append([WAYS[way](response), seen(response)])
    assert outcomes[1] == outcomes[0]
    row = ledger.only()
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (7, 5, "reported")
    assert (row["status"], row["complete"], row["http_status"]) == ("ok", True, 200)


def test_read_in_two_goes(server: ScriptedServer, recording: Ledger) -> None:
    """A body that is begun in one way and read to its end in another is one record of the whole."""
    server.will(ANSWERS["json"])
    with requests.post(server.url + PATH, json=REQUEST, stream=True, timeout=PATIENCE) as response:
        first = next(response.iter_content(7))
        assert recording.rows() == []
        assert json.loads(first + response.raw.read(decode_content=True)) == DOCUMENT
        assert recording.only()["output_tokens"] == 5


@pytest.mark.parametrize("answer", ANSWERS)
def test_plain(answer: str, server: ScriptedServer, ledger: Ledger) -> None:
    """A response that is read at once is recorded when its caller gets it, and can be pickled as ever."""
    server.will(ANSWERS[answer])
    without = requests.post(server.url + PATH, json=REQUEST, timeout=PATIENCE)
    nbtokens.enable()
    response = requests.post(server.url + PATH, json=REQUEST, timeout=PATIENCE)
    row = ledger.only()
    assert (row["input_tokens"], row["output_tokens"], row["request_model"]) == (7, 5, "gpt-5")
    assert "time_to_first_chunk_s" not in row
    assert [response.content, seen(response)] == [without.content, seen(without)]
    assert type(response.raw) is urllib3.HTTPResponse
    assert pickle.loads(pickle.dumps(response)).content == response.content


def test_first_chunk_comes_first(server: ScriptedServer, recording: Ledger) -> None:
    """The first chunk is handed over before the server has sent the second; the record is there before the end."""
    rest = threading.Event()
    server.will(as_events(PIECES[0], rest, *PIECES[1:]))
    with requests.post(server.url + PATH, json=REQUEST, stream=True, timeout=PATIENCE) as response:
        parts = response.iter_content(None)
        assert next(parts) == PIECES[0]
        assert recording.rows() == []
        rest.set()
        assert b"".join(parts) == joined(PIECES[1:])
        assert recording.only()["output_tokens"] == 5


def close(response: requests.Response) -> None:
    response.close()


def close_started(response: requests.Response) -> None:
    next(response.iter_content(None))
    response.close()


def leave_loop(response: requests.Response) -> None:
    for _ in response.iter_lines():
        break
    response.close()


def leave_block(response: requests.Response) -> None:
    with response:
        next(response.iter_content(None))


def fail_in_block(response: requests.Response) -> None:
    def fail() -> None:
        with response:
            for _ in response.iter_content(None):
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


def close_raw(response: requests.Response) -> None:
    response.raw.read1(5)
    response.raw.close()


EARLY: Final = [close, close_started, leave_loop, leave_block, fail_in_block, close_raw]


@pytest.fixture
def endless(server: ScriptedServer) -> Iterator[str]:
    """The URL of an answer that begins, and whose end comes only when the test is over."""
    over = threading.Event()
    server.will(as_events(PIECES[0], over, PIECES[1]))
    yield server.url + PATH
    over.set()


@pytest.mark.parametrize("way", EARLY)
def test_left_early(way: Callable[[requests.Response], None], endless: str, recording: Ledger) -> None:
    """A stream that is left before its end is one record, at once, and not complete."""
    way(requests.post(endless, json=REQUEST, stream=True, timeout=PATIENCE))
    row = recording.only()
    assert (row["complete"], row["status"], row["usage_source"]) == (False, "ok", "estimated")
    gc.collect()
    assert recording.only() == row


@pytest.mark.parametrize("started", [False, True])
def test_dropped(started: bool, endless: str, recording: Ledger) -> None:  # noqa: FBT001 - a parameter of pytest
    """A stream that nobody holds any more is recorded on another thread."""
    response = requests.post(endless, json=REQUEST, stream=True, timeout=PATIENCE)
    if started:
        response.raw.read1(5)
    del response
    gc.collect()
    let_the_writer_finish()
    row = recording.only()
    assert (row["complete"], row["usage_source"]) == (False, "estimated")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("answer", ["cut", "never", "nobody"])
def test_same_exception(answer: str, stream: bool, server: ScriptedServer, ledger: Ledger) -> None:  # noqa: FBT001
    """A failing attempt raises what it raises without nbtokens, and is one record that names an exception."""
    server.will(as_events(PIECES[0], end="cut") if answer == "cut" else Answer(end="never"))
    url = "http://127.0.0.1:9" if answer == "nobody" else server.url
    wait = 0.2 if answer == "never" else PATIENCE
    raised = []
    for enable in (False, True):
        if enable:
            nbtokens.enable()
        with pytest.raises(requests.RequestException) as caught:
            _ = requests.post(url + PATH, json=REQUEST, stream=stream, timeout=(PATIENCE, wait)).content
        raised.append(type(caught.value))
    assert raised[0] is raised[1]
    row = ledger.only()
    assert (row["status"], row["complete"]) == ("error", False)
    assert row["error"]


def test_redirects(server: ScriptedServer, recording: Ledger) -> None:
    """A call that is sent on to another address is one record, of the address that the user has called."""
    server.will(Answer(status=307, headers={"location": f"{server.url}/v2/chat/completions"}), as_json(DOCUMENT))
    response = requests.post(server.url + PATH, json=REQUEST, timeout=PATIENCE)
    assert [one.status_code for one in [*response.history, response]] == [307, 200]
    row = recording.only()
    assert (row["http_status"], row["input_tokens"], row["status"]) == (200, 7, "ok")


def test_others_are_left_alone(server: ScriptedServer, recording: Ledger) -> None:
    """What is no call of a model has nothing of ours around it."""
    server.will(as_json({}))
    with requests.post(server.url + "/v1/files", json=REQUEST, stream=True, timeout=PATIENCE) as response:
        assert type(response.raw) is urllib3.HTTPResponse
        assert response.json() == {}
    assert requests.get(server.url + PATH, timeout=PATIENCE).json() == {}
    assert recording.rows(None) == []


@pytest.mark.parametrize("body", ["bytes", "text", "generator"])
def test_request_bodies(body: str, server: ScriptedServer, recording: Ledger) -> None:
    """The request is read where it is there; a generator is the client's alone to read."""
    server.will(as_json(DOCUMENT))
    text = json.dumps(REQUEST)
    data: Any = {"bytes": text.encode(), "text": text, "generator": (part.encode() for part in [text[:5], text[5:]])}[
        body
    ]
    requests.post(server.url + PATH, data=data, timeout=PATIENCE)
    assert server.asked[0].body == text.encode()
    assert recording.only().get("request_model") == (None if body == "generator" else "gpt-5")
