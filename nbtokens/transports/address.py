"""What hooks read from a request that is given as text."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote, urlsplit

from nbtokens.exchange import Address

_USUAL_PORTS: Final = {"http": 80, "https": 443}


def address_of(url: str) -> Address:
    """The address in a URL, with its path decoded and without a port that goes without saying, as httpx has them."""
    parts = urlsplit(url)
    return address(parts.scheme.lower(), parts.hostname or "", parts.port, parts.path)


def address(scheme: str, host: str, port: int | None, path: str) -> Address:
    """The same of a URL in its parts, the path still encoded."""
    path = unquote(path) if "%" in path else path
    return Address(scheme, host, None if port == _USUAL_PORTS.get(scheme) else port, path or "/")


def bytes_of(body: Any) -> bytes | None:  # noqa: ANN401 - whatever a client takes for a body
    """The bytes of a body, where they are there without reading what only the client may read."""
    if isinstance(body, bytes):
        return body
    if isinstance(body, bytearray | memoryview):
        return bytes(body)
    return body.encode() if isinstance(body, str) else None


def asks_for_a_stream(address: Address, body: bytes | None) -> bool:
    """Whether the answer is likely to be a stream, for clients that read every answer bit by bit."""
    return "stream" in address.path.lower() or (body is not None and b'"stream"' in body)
