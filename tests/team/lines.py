"""A line to a server that breaks: bytes go through it, each way, until so many have."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Line:
    """A port on loopback whose connections lead to a server's.

    Args:
        port: the server's.

    Attributes:
        port: on which it listens.
        most_there: after so many bytes to the server a connection breaks; None: never.
        most_back: after so many bytes from it.
        hangs: what comes from the server is kept back for ever.
        there: how many went to the server over the latest connection.
        back: how many came from it.
    """

    def __init__(self, port: int) -> None:
        self._server = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.port: int = self._listening.getsockname()[1]
        self.most_there: int | None = None
        self.most_back: int | None = None
        self.there = self.back = 0
        self.hangs = False

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        for one in self._threads:
            one.join()
        self._listening.close()

    def _begin(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it is over
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._server))
                self.there = self.back = 0
                self._begin(self._carry, client, server)

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        back = threading.Thread(target=self._copy, args=(server, client, "back"), daemon=True)
        back.start()
        self._copy(client, server, "there")
        back.join()
        client.close()
        server.close()

    def _copy(self, come: socket.socket, go: socket.socket, way: str) -> None:
        with contextlib.suppress(OSError):  # the other way has ended
            while data := come.recv(1 << 16):
                if self.hangs and way == "back":
                    continue
                most = getattr(self, f"most_{way}")
                rest = None if most is None else max(most - getattr(self, way), 0)
                go.sendall(data[:rest])
                setattr(self, way, getattr(self, way) + len(data))
                if rest is not None and rest <= len(data):
                    break
        for one in (come, go):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
