"""The endpoints standing alone on a loopback port, over the test's ledger, and a client that has the token."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from servers import wait_until

from nbtokens.config import load_config
from nbtokens.history import open_history
from nbtokens.history.journal import NAME
from nbtokens.server import alone
from nbtokens.server.answers import answers_of
from nbtokens.server.handling import Caller
from nbtokens.team.shipper import Shipper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledgers import Ledger
    from tornado.web import Application

    from nbtokens.server.answers import Answers

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
    """Serve an application on a thread of its own; the port. However slow the machine is, each answer is a new one."""
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
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("nbtokens.server.answers._LONG", float("inf"))
            yield port
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()


@contextmanager
def running(answers: Answers | None = None) -> Iterator[Rest]:
    """The interface over the settings of the working directory, for somebody who sees all, and for ada."""
    callers = {TOKEN: Caller(None, sees_all=True), ADAS: Caller("ada", sees_all=False)}
    own = answers or answers_of(load_config())
    try:
        with served(alone.application(own, callers)) as port:
            yield Rest(f"http://127.0.0.1:{port}/nbtokens")
    finally:
        own.close()


@pytest.fixture
def rest_of_ledger(ledger: Ledger) -> Iterator[Rest]:
    """The interface over the test's ledger."""
    with running() as own:
        yield own


@pytest.fixture
def rest(rest_of_ledger: Rest) -> Rest:
    """The interface, over the ledger where a module says nothing else."""
    return rest_of_ledger


@dataclass
class Shipped(Rest):
    """The same over a database, to which everything is sent before it is asked.

    Attributes:
        shipper: what sends.
        ledger: the history's file.
    """

    shipper: Shipper
    ledger: Path

    def request(self, method: str, path: str, token: str | None = TOKEN, **given: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        """Send any request."""
        wait_until(lambda: not self.ledger.exists() or self.shipper.ship())
        return super().request(method, path, token, **given)


@pytest.fixture
def rest_of_team(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rest]:
    """The interface over a team's database, in which the test's ledger arrives at once."""
    url = f"sqlite:///{tmp_path / 'team.db'}"
    monkeypatch.setenv("NBTOKENS_DATABASE", url)
    shipper = Shipper(open_history(ledger.folder, print).journal, ledger.folder, url, ledger.folder)
    with running() as own:
        yield Shipped(own.url, shipper, ledger.folder / NAME)
    shipper.close()
