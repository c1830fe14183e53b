"""The content of an aiohttp response, kept while its reader takes it."""

from __future__ import annotations

from asyncio import IncompleteReadError
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nbtokens.transports.finish import Finish


def teeing(reader: type) -> type:
    """A subclass of aiohttp's class of contents, to go around one. It goes by the name of its base."""
    tee = type(
        reader.__name__,
        (_Tee, reader),
        {"__slots__": ("_finish", "_inner"), "__module__": reader.__module__, "__qualname__": reader.__qualname__},
    )
    for name in _others(reader):
        setattr(tee, name, _delegated(name))
    return tee


class _Tee:
    """Tells what is read; all else is the affair of the original, whose attributes it shows as its own."""

    __slots__ = ()
    _finish: Finish
    _inner: Any

    def __init__(self, inner: Any, finish: Finish) -> None:  # noqa: ANN401 - the client's types
        self._inner = inner
        self._finish = finish  # type: ignore[misc]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the client's types
        return getattr(self._inner, name)

    def __repr__(self) -> str:
        return repr(self._inner)

    def __del__(self) -> None:
        self._finish.collected()

    def set_exception(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - the client's types
        """So it is told that the response is closed or released."""
        self._inner.set_exception(*args, **options)
        self._finish.stopped()

    async def read(self, n: int = -1) -> bytes:
        if n < 0:  # its own way to read everything, by `readany`, so that what came before a failure counts
            whole: bytes = await super().read(n)  # type: ignore[misc]
            return whole
        return await self._told(self._inner.read(n), n)

    async def readany(self) -> bytes:
        return await self._told(self._inner.readany())

    async def readline(self, *args: Any, **options: Any) -> bytes:  # noqa: ANN401 - the client's types
        return await self._told(self._inner.readline(*args, **options))

    async def readuntil(self, *args: Any, **options: Any) -> bytes:  # noqa: ANN401 - the client's types
        return await self._told(self._inner.readuntil(*args, **options))

    async def readexactly(self, n: int) -> bytes:
        return await self._told(self._inner.readexactly(n), n)

    async def readchunk(self) -> tuple[bytes, bool]:
        try:
            chunk, ends = await self._inner.readchunk()
        except BaseException as error:
            self._raised(error)
            raise
        self._took(chunk, at_end=not ends and not chunk)
        return chunk, ends

    def read_nowait(self, n: int = -1) -> bytes:
        chunk: bytes = self._inner.read_nowait(n)
        self._took(chunk, at_end=False)
        return chunk

    async def _told(self, reading: Awaitable[bytes], asked: int = -1) -> bytes:
        try:
            chunk = await reading
        except BaseException as error:
            self._raised(error)
            raise
        self._took(chunk, at_end=not chunk and asked != 0)
        return chunk

    def _took(self, chunk: bytes, *, at_end: bool) -> None:
        if chunk:
            self._finish.take(chunk)
        if at_end or self._inner.at_eof():
            self._finish.ended()

    def _raised(self, error: BaseException) -> None:
        if isinstance(error, IncompleteReadError):  # there was less than was asked for, and the reader has it
            self._finish.take(error.partial)
            self._finish.ended()
        elif self._inner.exception() is not None:
            self._finish.failed(error)
        else:  # cancelled, or out of patience: the reader may come again
            self._finish.interruption = type(error).__name__


def _others(reader: type) -> list[str]:
    """The reader's methods that the tee does not have, but those that read by others."""
    own = [name for name, value in vars(reader).items() if callable(value) and not name.startswith("__")]
    return [name for name in own if name not in vars(_Tee) and not name.startswith("iter_")]


def _delegated(name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - the client's types
        return getattr(self._inner, name)(*args, **options)

    method.__name__ = name
    return method
