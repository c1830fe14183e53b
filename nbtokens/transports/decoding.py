"""Undoing the content encoding of a body that was kept as it came over the wire."""

from __future__ import annotations

import zlib
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_PIECE: Final = 65_536
_ANY_ZLIB: Final = zlib.MAX_WBITS | 32  # a header of gzip or of zlib, whichever is there
_NO_HEADER: Final = -zlib.MAX_WBITS
_BROTLI: Final = ("brotli", "brotlicffi")
_ZSTD: Final = ("compression.zstd", "backports.zstd", "zstandard")


class _Decoder(Protocol):
    """What is common to the decompressing objects of zlib and zstd."""

    @property
    def eof(self) -> bool:
        """Whether the end of the packed data was reached."""

    @property
    def unused_data(self) -> bytes:
        """What came after that end."""

    def decompress(self, data: bytes, /) -> bytes:
        """Unpack the next bytes."""


def decoded(body: bytes | bytearray, encodings: str | None) -> bytes | bytearray:
    """The body as its reader sees it: `encodings`, a `content-encoding` header, undone as far as that goes.

    A body that was cut off, or whose packing is broken, gives what can be read of it. An encoding that nothing on
    this machine can undo leaves the body as it is.
    """
    for name in reversed((encodings or "").lower().split(",")):
        unpack = _UNPACKERS.get(name.strip())
        if unpack is not None and body:
            body = _joined(unpack(bytes(body)))
    return body


def _joined(parts: Iterator[bytes]) -> bytes:
    whole = bytearray()
    try:
        for part in parts:
            whole += part
    except Exception:  # noqa: BLE001 - each library has its own; the packing is broken from here on
        return bytes(whole)
    return bytes(whole)


def _pieces(body: bytes) -> Iterator[bytes]:
    return (body[start : start + _PIECE] for start in range(0, len(body), _PIECE))


def _frames(make: Callable[[], _Decoder], body: bytes) -> Iterator[bytes]:
    """Unpack one or several packed parts that follow one another."""
    decoder = make()
    for piece in _pieces(body):
        rest = piece
        while rest:
            if decoder.eof:
                decoder = make()
            yield decoder.decompress(rest)
            rest = decoder.unused_data if decoder.eof else b""


def _gzip(body: bytes) -> Iterator[bytes]:
    return _frames(lambda: zlib.decompressobj(_ANY_ZLIB), body)


def _deflate(body: bytes) -> Iterator[bytes]:
    """Deflate, with zlib's header as it should be, or without it as some servers send it."""
    try:
        zlib.decompressobj(_ANY_ZLIB).decompress(body[:_PIECE])
    except zlib.error:
        return _frames(lambda: zlib.decompressobj(_NO_HEADER), body)
    return _gzip(body)


def _brotli(body: bytes) -> Iterator[bytes]:
    module = _first_of(_BROTLI)
    if module is None:
        return iter([body])
    decoder = module.Decompressor()
    unpack = decoder.process if hasattr(decoder, "process") else decoder.decompress
    return (unpack(piece) for piece in _pieces(body))


def _zstd(body: bytes) -> Iterator[bytes]:
    module = _first_of(_ZSTD)
    if module is None:
        return iter([body])
    if module.__name__ == "zstandard":
        return _frames(lambda: module.ZstdDecompressor().decompressobj(), body)
    return _frames(module.ZstdDecompressor, body)


def _first_of(names: Sequence[str]) -> Any | None:  # noqa: ANN401 - a module without types
    """The first of these modules that is installed. None is needed for anything but such a body."""
    for name in names:
        try:
            return import_module(name)
        except ImportError:
            continue
    return None


_UNPACKERS: Final[dict[str, Callable[[bytes], Iterator[bytes]]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
