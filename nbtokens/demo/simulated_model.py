"""A small server on this machine that speaks the providers' wire formats without a model behind it.

For machines that can't load the demo's real model, and for tests: real clients, real HTTP, answers known beforehand.
"""

from __future__ import annotations

import json
import socket
import socketserver
import sys
import threading
import time
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Final, NamedTuple

from nbtokens.demo import simulated_anthropic, simulated_openai
from nbtokens.demo.endpoint import Endpoint
from nbtokens.demo.simulated_text import MODEL, BadRequestError
from nbtokens.demo.simulated_wire import Document, Json, Reply, Stream, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SERVER_HEADER: Final = "nbtokens-simulated"
"""The `Server` header of every response."""

_TYPICAL_SPEED = 200.0


class _Route(NamedTuple):
    answer: Callable[[Json], Reply]
    error: Callable[[BadRequestError], Json]


_ROUTES: Mapping[str, _Route] = {
    "/v1/chat/completions": _Route(simulated_openai.chat, simulated_openai.error),
    "/v1/completions": _Route(simulated_openai.completions, simulated_openai.error),
    "/v1/responses": _Route(simulated_openai.responses, simulated_openai.error),
    "/v1/embeddings": _Route(simulated_openai.embeddings, simulated_openai.error),
    "/v1/messages": _Route(simulated_anthropic.messages, simulated_anthropic.error),
    "/v1/messages/count_tokens": _Route(simulated_anthropic.count, simulated_anthropic.error),
}


@contextmanager
def serve(speed: float | None = _TYPICAL_SPEED) -> Iterator[Endpoint]:
    """Run the simulated model on a free port of 127.0.0.1; it is gone when the block ends.

    Args:
        speed: how many tokens a second an answer takes; None answers at once.
    """
    with _Server(speed) as server:
        # The polling decides only how long the end may take.
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="simulated-model", daemon=True)
        thread.start()
        try:
            yield Endpoint(f"http://127.0.0.1:{server.server_address[1]}", MODEL, simulated=True)
        finally:
            server.shutdown()
            thread.join()
            server.hang_up()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128  # with the default of 5, many connections at once would wait for TCP to try again

    def __init__(self, speed: float | None) -> None:
        self.speed = speed
        self._connections: set[object] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Say nothing about a client that went away: closing a stream early is its right."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """End the connections that clients keep open, so that no thread outlives the server."""
        for connection in list(self._connections):
            assert isinstance(connection, socket.socket)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536  # headers and body leave in one packet; a stream flushes at each event

    def do_GET(self) -> None:
        if self._path() != "/v1/models":
            self._send_not_found()
        elif "anthropic-version" in self.headers:
            self._send_document(simulated_anthropic.models())
        else:
            self._send_document(simulated_openai.models())

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        route = _ROUTES.get(self._path())
        if route is None:
            self._send_not_found()
            return
        try:
            reply = route.answer(_parse(raw))
        except BadRequestError as problem:
            self._send_json(HTTPStatus.BAD_REQUEST, route.error(problem))
            return
        if isinstance(reply, Stream):
            self._send_stream(reply)
        else:
            self._send_document(reply)

    def _path(self) -> str:
        return self.path.partition("?")[0]

    def _send_document(self, document: Document) -> None:
        self._wait_until(time.monotonic(), document.tokens)
        self._send_json(HTTPStatus.OK, document.body)

    def _send_not_found(self) -> None:
        problem = BadRequestError(f"Invalid URL ({self.command} {self._path()})")
        self._send_json(HTTPStatus.NOT_FOUND, simulated_openai.error(problem))

    def _send_json(self, status: HTTPStatus, body: Json) -> None:
        raw = json.dumps(body).encode()
        self._send_head(status, "application/json", ("Content-Length", str(len(raw))))
        self.wfile.write(raw)

    def _send_stream(self, stream: Stream) -> None:
        self._send_head(HTTPStatus.OK, "text/event-stream; charset=utf-8", ("Transfer-Encoding", "chunked"))
        began, tokens = time.monotonic(), 0
        for event in stream.events:
            tokens += event.tokens
            self._wait_until(began, tokens)
            raw = event.encode()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(raw), raw))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _send_head(self, status: HTTPStatus, content_type: str, length: tuple[str, str]) -> None:
        request_id = new_id("req_")
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header(*length)
        self.send_header("x-request-id", request_id)  # OpenAI's name for it
        self.send_header("request-id", request_id)  # Anthropic's
        self.end_headers()

    def _wait_until(self, began: float, tokens: int) -> None:
        """Wait until `tokens` can be there, for an answer that began at `began` on the monotonic clock."""
        speed = self.server.speed
        if speed is not None:
            time.sleep(max(0.0, began + tokens / speed - time.monotonic()))

    def version_string(self) -> str:
        return SERVER_HEADER

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name that the base class gives it
        """Keep quiet: who runs the server is told in other ways."""


def _parse(raw: bytes) -> Json:
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise BadRequestError("We could not parse the JSON body of your request.")
    return body
