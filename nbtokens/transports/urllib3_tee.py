"""The body of a urllib3 response, kept while its reader takes it; requests and botocore hand out such responses too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbtokens.transports.finish import Finish

_CHUNK: Final = 2**16
_teeing_classes: Final[dict[type, type]] = {}


def tee(raw: Any, finish: Finish) -> None:  # noqa: ANN401 - the client's types
    """Have `finish` told of all that is read from `raw`: a response of urllib3, or what else has a `read`.

    It stays the object that it is, of a subclass of what it was; nothing is read ahead. What can't be observed (an
    object without attributes of its own) is recorded at once, as an answer of which nothing was seen.
    """
    try:
        teeing = _teeing(type(raw))
        raw._nbtokens_finish = finish  # noqa: SLF001 - it is ours
        raw.__class__ = teeing
    except (TypeError, AttributeError):
        finish.stopped()


def _teeing(kind: type) -> type:
    """The subclass of a class of responses that tells what is read. It goes by the name of its base."""
    if kind not in _teeing_classes:
        mixin = _TeeingResponse if hasattr(kind, "stream") else _TeeingFile
        names = {"__slots__": (), "__module__": kind.__module__, "__qualname__": kind.__qualname__}
        _teeing_classes[kind] = type(kind.__name__, (mixin, kind), names)
    return _teeing_classes[kind]


class _TeeingFile:
    """Over what has `read` and perhaps `close`."""

    __slots__ = ()
    _nbtokens_finish: Finish

    def read(self, amt: Any = None, decode_content: Any = None, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        finish = self._nbtokens_finish
        given = args if decode_content is None else (decode_content, *args)
        finish.busy = True
        try:
            chunk = super().read(amt, *given, **options)  # type: ignore[misc]
        except BaseException as error:
            finish.failed(error)
            raise
        finally:
            finish.busy = False
        unpacked = _unpacks(self, decode_content)
        if amt is None or amt < 0:
            finish.whole(chunk, unpacked=unpacked)
        elif chunk:
            finish.take(chunk, unpacked=unpacked)
            if not unpacked and self.closed:  # nothing is left to come, nor to be unpacked
                finish.ended()
        elif amt:
            finish.ended()
        return chunk

    closed: Any

    def close(self) -> None:
        try:
            super().close()  # type: ignore[misc]
        finally:
            if not self._nbtokens_finish.busy:  # else it closes itself, for a reason that the reading will tell
                self._nbtokens_finish.stopped()

    def __del__(self) -> None:
        self._nbtokens_finish.collected()
        inherited = getattr(super(), "__del__", None)
        if inherited is not None:
            inherited()


class _TeeingResponse(_TeeingFile):
    """Over urllib3's own. What is not here (`data`, `json`, `readinto`, `readline`) reads by what is."""

    __slots__ = ()

    def read1(self, amt: Any = None, decode_content: Any = None) -> Any:  # noqa: ANN401 - the client's types
        finish = self._nbtokens_finish
        finish.busy = True
        try:
            chunk = super().read1(amt, decode_content)  # type: ignore[misc]
        except BaseException as error:
            finish.failed(error)
            raise
        finally:
            finish.busy = False
        if chunk:
            finish.take(chunk, unpacked=_unpacks(self, decode_content))
        elif amt != 0:
            finish.ended()
        return chunk

    def read_chunked(self, amt: Any = None, decode_content: Any = None) -> Iterator[bytes]:  # noqa: ANN401
        finish = self._nbtokens_finish
        unpacked = bool(decode_content)
        chunks = super().read_chunked(amt, decode_content)  # type: ignore[misc]
        try:
            finish.busy = True
            for chunk in chunks:
                finish.busy = False
                finish.take(chunk, unpacked=unpacked)
                yield chunk
                finish.busy = True
        except BaseException as error:
            finish.failed(error)
            chunks.close()
            raise
        finally:
            finish.busy = False
        if amt != 0:
            finish.ended()

    def stream(self, amt: Any = _CHUNK, decode_content: Any = None) -> Iterator[bytes]:  # noqa: ANN401
        yield from super().stream(amt, decode_content)  # type: ignore[misc]  # reads by the methods here
        if amt != 0:
            self._nbtokens_finish.ended()


def _unpacks(raw: Any, decode_content: bool | None) -> bool:  # noqa: ANN401, FBT001 - the client's own argument
    """Whether the response undoes the content encoding of what it gives."""
    return bool(getattr(raw, "decode_content", False) if decode_content is None else decode_content)
