"""The endpoints standing alone on a loopback port, over the test's ledger, and a client that has the token."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from nbtokens.config import load_config
from nbtokens.server import alone
from nbtokens.server.handling import Caller
from nbtokens.server.local import local_data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledgers import Ledger
    from tornado.web import Application

TOKEN: Final = "the-token-of-the-tests"
ADAS: Final = "the-token-that-ada-has"


@dataclass
class Rest:
    """A running server.

    Attributes:
        url: where the interface begins.
    """

    url: str

    def get(self, path: str, token: str | None = TOKEN, **given: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        """Ask."""
        return self.request("GET", path, token, **given)

    def post(self, path: str, token: str | None = TOKEN, **given: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        """Post."""
        return self.request("POST", path, token, **given)

    def request(self, method: str, path: str, token: str | None = TOKEN, **given: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        """Send any request."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= given.pop("headers", {})
        return httpx.request(method, self.url + path, headers=headers, trust_env=False, timeout=30, **given)


@contextmanager
def served(app: Application) -> Iterator[int]:
    """Serve an application on a thread of its own; the port."""
    started: list[Any] = []
    ready = threading.Event()

    async def serve() -> None:
        server, port = alone.listen(app, "127.0.0.1", 0)
        ended = asyncio.Event()
        started.extend((asyncio.get_running_loop(), ended, port))
        ready.set()
        await ended.wait()
        server.stop()
        await server.close_all_connections()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait()
    loop, ended, port = started
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()


@pytest.fixture
def rest(ledger: Ledger) -> Iterator[Rest]:
    """The interface over the test's ledger."""
    callers = {TOKEN: Caller(None, sees_all=True), ADAS: Caller("ada", sees_all=False)}
    with served(alone.application(local_data(load_config()), callers)) as port:
        yield Rest(f"http://127.0.0.1:{port}/nbtokens")
