"""From the bytes of a response body to the JSON documents in it: plain JSON, an array, lines, SSE, or AWS frames."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import msgspec

from nbtokens.formats.event_stream import is_event_stream, payloads

UNREADABLE: Final = (msgspec.MsgspecError, RecursionError, ValueError)
"""What reading bytes that claim to be JSON may raise: they are none, nested without end, or not UTF-8."""

_BOM: Final = b"\xef\xbb\xbf"
_MOST_DIGITS: Final = 18
_DONE: Final = b"[DONE]"
_LOOK_AHEAD: Final = 4096
_tolerated: Final = re.compile(rb"NaN|Infinity|\\ud[89a-f]|[\x80-\xff]", re.IGNORECASE)
_SURROGATE: Final = re.compile(rb"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|\\ud[89a-f][0-9a-f]{2}", re.IGNORECASE)
_BETWEEN: Final = re.compile(rb"\}\s*,\s*\{")
_MOST_TRIES: Final = 100
_ONE_ESCAPE: Final = len("\\ud800")
_ANY_JSON: Final = msgspec.json.Decoder(list[msgspec.Raw])


class Documents(msgspec.Struct, frozen=True):
    """The documents of one body, in order.

    Attributes:
        texts: the JSON text of each; the last one may be cut off.
        done: whether the stream's own end marker (`data: [DONE]`) was there.
        streamed: whether the body was a stream of events.
        array: whether it was a JSON array; some are streams, what is asked for tells.
    """

    texts: list[bytes]
    done: bool
    streamed: bool
    array: bool = False


def decode(text: bytes | msgspec.Raw) -> Any:  # noqa: ANN401 - JSON holds anything
    """The value of a JSON text. Numbers that are too large for a float are infinite.

    Raises:
        UNREADABLE: the text can't be read.
    """
    try:
        return msgspec.json.decode(text)
    except msgspec.ValidationError:  # a number out of range; everything else is in order
        return json.loads(bytes(text), parse_int=_bounded)
    except msgspec.DecodeError:
        if not _tolerated.search(bytes(text)):
            raise
        return _decode_almost(bytes(text))


def _decode_almost(text: bytes) -> Any:  # noqa: ANN401 - JSON holds anything
    """What Python's servers write, and is no JSON: NaN, Infinity, text that was cut inside of a character."""
    whole = _SURROGATE.sub(lambda found: found[0] if len(found[0]) > _ONE_ESCAPE else b"\\ufffd", text)
    return json.loads(whole.decode("utf-8", "replace"), parse_int=_bounded)


def _bounded(digits: str) -> int | float:
    return int(digits) if len(digits) < _MOST_DIGITS else float(digits)


def documents(body: bytes | bytearray) -> Documents:
    """Split a body into its documents. What it is shows in its bytes; content types are often missing or wrong."""
    data = bytes(body)
    if data[:1] == b"\0" and is_event_stream(data):
        return Documents([text for text in payloads(data) if text], done=False, streamed=True)
    if data[:1] != b"{":
        data = data.removeprefix(_BOM).strip()
    if data[:1] == b"{":
        return _json_or_lines(data)
    if data[:1] == b"[":
        return _array(data)
    if data.startswith((b"data:", b"event:", b"id:", b"retry:", b":")):
        return _events(data)
    return Documents([data] if data else [], done=False, streamed=False)


def _json_or_lines(data: bytes) -> Documents:
    end = data.find(b"\n")
    if end < 0 or data[end : end + _LOOK_AHEAD].lstrip()[:1] != b"{" or not _is_document(data[:end]):
        return Documents([data], done=False, streamed=False)
    return Documents([line for line in data.splitlines() if line.strip()], done=False, streamed=True)


def _is_document(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except UNREADABLE:
        return False
    return True


def _array(data: bytes) -> Documents:
    try:
        return Documents([bytes(part) for part in _ANY_JSON.decode(data)], done=False, streamed=False, array=True)
    except UNREADABLE:
        return Documents(_elements(data), done=False, streamed=False, array=True)


def _elements(data: bytes) -> list[bytes]:
    """The elements of an array that was cut off, those that are whole. Streams of arrays have one on each line or so.

    It takes time with the square of the number of elements that are not whole, so there is a limit to these.
    """
    found: list[bytes] = []
    start, wrong = 1, 0
    for mark in _BETWEEN.finditer(data):
        part = data[start : mark.start() + 1].strip()
        if _is_document(part):
            found.append(part)
            start, wrong = mark.end() - 1, 0
        elif (wrong := wrong + 1) > _MOST_TRIES:
            break
    rest = data[start:].strip().removesuffix(b"]").strip()
    return [*found, rest] if rest else found


def _events(data: bytes) -> Documents:
    """Server-sent events (WHATWG HTML, 9.2): events stand between blank lines, `data:` lines of one are joined."""
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    # Most providers send events of one line of data each; then one split does it.
    texts = data.removeprefix(b"data: ").split(b"\n\ndata: ")
    if not data.startswith(b"data: ") or data.count(b"\n") != 2 * (len(texts) - 1):
        texts = [text for event in data.split(b"\n\n") for text in _event_data(event)]
    done = _DONE in texts[-2:]
    return Documents([text for text in texts if text not in (b"", _DONE)], done=done, streamed=True)


def _event_data(event: bytes) -> list[bytes]:
    if event.startswith((b"event: error\n", b"event:error\n")):  # also where its data do not say so
        return [b'{"error":"error"}', *_data_lines(event)]
    return _data_lines(event)


def _data_lines(event: bytes) -> list[bytes]:
    _, mark, text = event.partition(b"\ndata: ")
    if mark and event.startswith(b"event: ") and event.count(b"\n") == 1:
        return [text]
    lines = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
    if len(lines) > 1 and not (lines[0].startswith(b"{") and _is_document(lines[0])):
        return [b"\n".join(lines)]
    return lines  # some servers leave out the blank lines between events
