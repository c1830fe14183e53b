"""A loopback server that answers as its script says: well, badly, in pieces, or not at all."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

PATIENCE = 60.0
"""Seconds after which a test gives up."""
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

Piece: TypeAlias = bytes | threading.Event
Json: TypeAlias = Any
Socket: TypeAlias = Any


@dataclass(frozen=True)
class Answer:
    """What the server sends to one request.

    Attributes:
        body: sent whole, with its length.
        pieces: sent instead of `body`, each as a chunk of its own; an event among them is waited for.
        end: `whole`; `cut`: the connection is closed before the end that was announced; `reset`: it is reset
            there; `never`: nothing is ever sent.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    pieces: Sequence[Piece] | None = None
    end: Literal["whole", "cut", "reset", "never"] = "whole"


@dataclass(frozen=True)
class Asked:
    """A request that the server got."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


def as_json(document: Json, status: int = 200, **headers: str) -> Answer:
    """A JSON body. Underscores in the names of headers stand for dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(json.dumps(document).encode(), status, {"content-type": "application/json", **named})


def as_events(*pieces: Piece, end: Literal["whole", "cut", "reset"] = "whole") -> Answer:
    """A stream of server-sent events."""
    return Answer(headers={"content-type": "text/event-stream"}, pieces=pieces, end=end)


def event(document: Json) -> bytes:
    """One server-sent event, as OpenAI sends it."""
    return b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n"


class ScriptedServer(ThreadingHTTPServer):
    """Gives `answers` in their order, the last one again and again, and keeps what was `asked`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: deque[Answer] = deque()
        self.asked: list[Asked] = []
        self.ending = threading.Event()
        self._lock = threading.Lock()
        self._connections: set[Any] = set()

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        """The URL of its root."""
        return f"http://{self.address}"

    def will(self, *answers: Answer) -> None:
        """Answer like this from now on."""
        self.answers = deque(answers)

    def answer_to(self, asked: Asked) -> Answer:
        """The next answer."""
        with self._lock:
            self.asked.append(asked)
            return self.answers.popleft() if len(self.answers) > 1 else self.answers[0]

    def process_request(self, request: Socket, client_address: Socket) -> None:
        """Remember the connection, for the end."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Socket) -> None:
        """The connection has ended."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Socket, client_address: Socket) -> None:
        """Clients may go away as they please."""

    def hang_up(self) -> None:
        """End what still waits and what clients keep open, so that no thread outlives the server."""
        self.ending.set()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: ScriptedServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        asked = Asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, self._read())
        answer = self.server.answer_to(asked)
        if answer.end == "never":
            self.server.ending.wait(PATIENCE)
            self.close_connection = True
            return
        self._head(answer)
        for piece in answer.pieces if answer.pieces is not None else [answer.body]:
            self._send(piece, chunked=answer.pieces is not None)
        if answer.end == "whole" and answer.pieces is not None:
            self.wfile.write(b"0\r\n\r\n")
        if answer.end == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.close_connection = answer.end != "whole"

    do_GET = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_POST  # noqa: N815 - the names that the base class looks for

    def _read(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _head(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.pieces is not None:
            self.send_header("transfer-encoding", "chunked")
        else:
            missing = 0 if answer.end == "whole" else 1000
            self.send_header("content-length", str(len(answer.body) + missing))
        self.end_headers()

    def _send(self, piece: Piece, *, chunked: bool) -> None:
        if isinstance(piece, threading.Event):
            if not piece.wait(PATIENCE):
                raise TimeoutError("nobody has asked for the rest")
        elif chunked:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        else:
            self.wfile.write(piece)

    def version_string(self) -> str:
        return "scripted"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives it
        """Keep quiet."""


@contextmanager
def scripted() -> Iterator[ScriptedServer]:
    """Run a scripted server on a free port of 127.0.0.1 until the block ends."""
    with ScriptedServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
            server.hang_up()


def refusing_url() -> str:
    """The URL of a port of 127.0.0.1 where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def joined(pieces: Iterable[Piece]) -> bytes:
    """The bytes of a body that is sent in pieces."""
    return b"".join(piece for piece in pieces if isinstance(piece, bytes))


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens on another thread; the test fails if it doesn't."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)
