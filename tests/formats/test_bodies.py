"""From the bytes of a body to its documents: whatever line ends, comments and framing a server uses."""

from __future__ import annotations

import json
from typing import Final

import pytest
from reading import REQUESTS, counts, events, read

from nbtokens.formats.json_stream import documents

PATH: Final = "/v1/chat/completions"
ONE: Final = {"id": "1", "model": "m", "choices": [{"index": 0, "delta": {"content": "a\n\nb"}}]}
TWO: Final = {"id": "1", "model": "m", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5}}
LF: Final = events(ONE, TWO)
PRETTY: Final = json.dumps(TWO, indent=2).encode()


def lines_of_data(document: object) -> bytes:
    """An event whose document stands on several `data:` lines."""
    return b"".join(b"data: " + line + b"\n" for line in json.dumps(document, indent=1).encode().splitlines()) + b"\n"


STREAMS: Final = {
    "LF": LF,
    "CRLF": LF.replace(b"\n", b"\r\n"),
    "CR": LF.replace(b"\n", b"\r"),
    "no space": LF.replace(b"data: ", b"data:"),
    "comments": b": OPENROUTER PROCESSING\n\n" + LF.replace(b"\n\n", b"\n\n: keep-alive\n\n"),
    "comment inside of an event": LF.replace(b"data: ", b": hello\ndata: "),
    "names, ids, retries": b"retry: 3000\n\n" + LF.replace(b"data: ", b"event: message\nid: 7\ndata: "),
    "name behind the data": LF.replace(b"\n\n", b"\nevent: message\n\n"),
    "several data lines": lines_of_data(ONE) + lines_of_data(TWO) + b"data: [DONE]\n\n",
    "BOM": b"\xef\xbb\xbf" + LF,
    "blank lines before": b"\n\n" + LF,
    "more blank lines": LF.replace(b"\n\n", b"\n\n\n\n"),
    "no blank line at the end": LF.rstrip(b"\n"),
    "DONE without space": LF.replace(b"data: [DONE]", b"data:[DONE]"),
}


@pytest.mark.parametrize("name", STREAMS)
def test_server_sent_events(name: str) -> None:
    """Every way to write a stream of events holds the same call, and its end marker ends it."""
    call = read(PATH, STREAMS[name], complete=False)
    assert call == read(PATH, LF)
    assert counts(call) == {"input_tokens": 7, "output_tokens": 5}
    assert (call.complete, call.stream, call.error) == (True, True, None)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(ONE).encode() + b"\n" + json.dumps(TWO).encode(),
        json.dumps(ONE).encode() + b"\r\n" + json.dumps(TWO).encode() + b"\r\n",
        b"\xef\xbb\xbf" + json.dumps(ONE).encode() + b"\n\n" + json.dumps(TWO).encode() + b"\n",
    ],
    ids=["lines", "CRLF", "BOM and blank line"],
)
def test_lines(body: bytes) -> None:
    """Lines of JSON are a stream too."""
    call = read(PATH, body)
    assert counts(call) == {"input_tokens": 7, "output_tokens": 5}
    assert call.stream


@pytest.mark.parametrize("indent", [None, 2])
def test_array(indent: int | None) -> None:
    """An array of documents is read as one body; whether it is a stream, the request tells."""
    body = json.dumps([ONE, TWO], indent=indent).encode()
    for request, streamed in (({"stream": True}, True), ({}, False)):
        call = read(PATH, body, {**REQUESTS[PATH], **request})
        assert counts(call) == {"input_tokens": 7, "output_tokens": 5}
        assert call.stream is streamed


@pytest.mark.parametrize("body", [PRETTY, b"\n " + PRETTY + b"\n", b"\xef\xbb\xbf" + PRETTY], ids=["", "space", "BOM"])
def test_plain_document(body: bytes) -> None:
    """A JSON document on many lines is one document, and no stream."""
    call = read(PATH, body)
    assert counts(call) == {"input_tokens": 7, "output_tokens": 5}
    assert (call.stream, call.complete, call.error) == (False, True, None)


@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\u2029"])
def test_only_line_breaks_break_lines(separator: str) -> None:
    """Other characters that end a line somewhere are text, in lines of JSON and in events."""
    said = {**ONE, "choices": [{"delta": {"content": f"a{separator}b"}}]}
    first, last = (json.dumps(one, ensure_ascii=False).encode() for one in (said, TWO))
    for body in (first + b"\n" + last, b"data: " + first + b"\n\ndata: " + last + b"\n\n"):
        assert [json.loads(text) for text in documents(body).texts] == [said, TWO]


def test_half_a_character() -> None:
    """Half of a surrogate pair in a chunk, as some servers send emoji, does no harm to the rest of the stream."""
    halves = [{**ONE, "choices": [{"delta": {"content": half}}]} for half in ("\ud83d", "\ude00")]
    call = read(PATH, events(*halves, TWO))
    assert counts(call) == {"input_tokens": 7, "output_tokens": 5}
    assert call.error is None


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_cut_off_stream(cut: int) -> None:
    """A stream that was cut off in the middle of an event keeps what came before; it is not complete."""
    call = read(PATH, events(ONE, TWO, done=False)[:-cut], complete=False)
    assert (call.model, call.complete, call.error) == ("m", False, None)


@pytest.mark.parametrize("body", [b"", b" ", b"\xef\xbb\xbf", b"data:", b"data: \n\n", b": nothing\n\n"])
def test_nothing(body: bytes) -> None:
    """A body with nothing in it reports nothing."""
    call = read(PATH, body)
    assert (call.usage_source, counts(call)) == ("none", {})
    assert call.error is not None
