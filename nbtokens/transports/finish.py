"""The end of a body that is read bit by bit: seen exactly once, whatever it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nbtokens.guard import guarded
from nbtokens.transports.decoding import decoded

if TYPE_CHECKING:
    from nbtokens.exchange import Exchange, Observer

END_MARKS: Final = (b"data: [DONE]\n\n", b"data: [DONE]\r\n\r\n")
"""What ends many streams of events. Some readers leave it at that and close nothing: Hugging Face's is one."""


class Finish:
    """Collects the body of one exchange while its reader takes it, and closes the exchange at the body's end.

    Args:
        exchange: what is known of the attempt when its body begins.
        observer: takes the exchange once it has come to its end.
        encoding: the content encoding of the bytes that will be taken; None where they come decoded.

    Attributes:
        body: the bytes that were read so far.
        busy: whether the client is reading in this moment.
        interruption: the name of an exception that stopped one reading, after which the reader may yet go on.
    """

    __slots__ = ("_encoding", "_observer", "_open", "body", "busy", "interruption")

    def __init__(self, exchange: Exchange, observer: Observer, encoding: str | None) -> None:
        self._open = [exchange]  # taken out at the end: of two threads that close it, one gets it
        self._observer = observer
        self._encoding = encoding
        self.body = bytearray()
        self.busy = False
        self.interruption: str | None = None

    def first(self, chunk: bytes) -> None:
        """The first bytes of the body have come."""
        for exchange in self._open:
            if exchange.streamed and exchange.time_to_first_chunk is None:
                exchange.time_to_first_chunk = exchange.elapsed()
        self.body += chunk

    def take(self, chunk: bytes, *, unpacked: bool = False) -> None:
        """The next bytes of the body; where they are unpacked, nothing is left to be undone at the end."""
        if unpacked:
            self._encoding = None
        self.interruption = None
        if self.body:
            self.body += chunk
        elif chunk:
            self.first(chunk)
        if self.body.endswith(END_MARKS):
            self.ended()

    def whole(self, body: bytes, *, unpacked: bool = False) -> None:
        """The rest of the body was read at once."""
        if unpacked:
            self._encoding = None
        self.body += body
        self.ended()

    def ended(self) -> None:
        """The body was read to its end."""
        self._close(complete=True, error=None, later=False)

    def failed(self, error: BaseException) -> None:
        """Reading the body raised."""
        stopped = isinstance(error, GeneratorExit)
        self._close(complete=False, error=None if stopped else type(error).__name__, later=False)

    def stopped(self) -> None:
        """The reader closed the response before the end of the body."""
        self._close(complete=False, error=self.interruption, later=False)

    def collected(self) -> None:
        """Nobody holds the stream any more. This may run at any moment, inside of any lock."""
        self._close(complete=False, error=self.interruption, later=True)

    def _close(self, *, complete: bool, error: str | None, later: bool) -> None:
        try:
            exchange = self._open.pop()
        except IndexError:
            return
        with guarded:
            exchange.complete = complete
            exchange.error = error
            exchange.duration = exchange.elapsed()
            exchange.body = decoded(self.body, self._encoding)
            self.body = bytearray()  # what is read after the end belongs to no record
            (self._observer.observe_later if later else self._observer.observe)(exchange)
