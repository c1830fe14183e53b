"""AWS' event streams (`application/vnd.amazon.eventstream`): frames of headers and a payload.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html (the frame) and
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ResponseStream.html (what is in it).
"""

from __future__ import annotations

import binascii
import json
import struct
from base64 import b64decode
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

_PRELUDE: Final = struct.Struct(">III")
_TRAILER: Final = 4
_LEAST: Final = _PRELUDE.size + _TRAILER
_EXCEPTION: Final = b":exception-type"
_STRING: Final = 7


class _Chunk(msgspec.Struct):
    """The payload of a frame that carries another document inside."""

    bytes: str


_chunk: Final = msgspec.json.Decoder(_Chunk)


def is_event_stream(data: bytes) -> bool:
    """Whether data begin with a frame: its prelude carries a checksum of itself."""
    if len(data) < _LEAST:
        return False
    length, headers, checksum = _PRELUDE.unpack_from(data)
    return bool(headers <= length - _LEAST and binascii.crc32(data[:8]) == checksum)


def payloads(data: bytes) -> Iterator[bytes]:
    """The JSON text in each whole frame; a frame that reports an exception is a document with an `error`."""
    at = 0
    while at + _LEAST <= len(data):
        length, headers, _ = _PRELUDE.unpack_from(data, at)
        body = at + _PRELUDE.size + headers
        end = at + length - _TRAILER
        if length < _LEAST or at + length > len(data) or body > end:
            return
        name = _exception(data[at + _PRELUDE.size : body])
        if name is not None:
            yield json.dumps({"error": {"type": name}}).encode()
        elif body < end:
            yield _inside(data[body:end])
        at += length


def _inside(payload: bytes) -> bytes:
    try:
        inside = b64decode(_chunk.decode(payload).bytes, validate=True)
    except (msgspec.MsgspecError, ValueError):
        return payload
    return inside if inside.startswith(b"{") else msgspec.json.encode({"text": inside.decode("utf-8", "replace")})


def _exception(headers: bytes) -> str | None:
    """The value of `:exception-type` (or `:error-code`), a string header: name length, name, 7, length, value."""
    for name in (_EXCEPTION, b":error-code"):
        at = headers.find(name)
        if at > 0 and headers[at - 1] == len(name):
            start = at + len(name)
            if headers[start : start + 1] == bytes([_STRING]):
                length = int.from_bytes(headers[start + 1 : start + 3])
                return headers[start + 3 : start + 3 + length].decode("utf-8", "replace")
    return None
