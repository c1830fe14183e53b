"""Sends recorded exchanges once more, and tells what is recorded of each."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING, Any, Final, Self

from pairs import BODILESS
from senders import senders
from servers import scripted

from nbtokens.guard import guarded
from nbtokens.runtime import runtime
from nbtokens.stored_answers import StoredAnswers
from nbtokens.transports.install import Hooks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pairs import Delivery, Pair
    from senders import Sender
    from servers import ScriptedServer

    from nbtokens.exchange import Address, Exchange
    from nbtokens.meter import Meter
    from nbtokens.record import Record

_PATIENCE: Final = 60


class Replay:
    """Sends pairs. There is one client of each kind, as in a user's program.

    Args:
        server: answers for all providers.
    """

    def __init__(self, server: ScriptedServer) -> None:
        self._server = server
        self._runner = asyncio.Runner()
        self._watch = _Watch()
        self._hooks = Hooks(self._watch)
        self._senders = senders(server)

    def send(self, pair: Pair, delivery: Delivery) -> list[Record]:
        """Send a pair's request; the records that come of it. The client gets what the server sent, to the byte."""
        self._server.will(delivery.answer(pair))
        self._server.asked.clear()
        self._watch.begin_afresh()
        self._hooks.install()
        try:
            got = self._runner.run(self._ask(self._senders[delivery.client], pair, streamed=delivery.streamed))
        finally:
            self._hooks.uninstall()
        assert got == (b"" if pair.status in BODILESS else pair.body), "the client got something else"
        return self._watch.end()

    @staticmethod
    async def _ask(sender: Sender, pair: Pair, *, streamed: bool) -> bytes:
        async with asyncio.timeout(_PATIENCE):
            return await sender.send(pair, streamed=streamed)

    async def _close(self) -> None:
        for sender in self._senders.values():
            await sender.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._close())
        self._runner.close()


@contextmanager
def replaying() -> Iterator[Replay]:
    """A replay with its server."""
    with scripted() as server, Replay(server) as replay:
        yield replay


class _Watch:
    """Passes what the hooks tell to a meter that is made for one pair, so that no pair knows of another."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._later: list[Exchange] = []
        self._meter = self._new_meter()
        self._failures = guarded.failures

    def _new_meter(self) -> Meter:
        meter = copy(runtime().meter)
        meter._keep, meter.observe_later = self._keep, self._later.append
        meter._stored = StoredAnswers(lambda: iter(()))
        return meter

    def begin_afresh(self) -> None:
        """The next pair is about to be sent."""
        self._records.clear()
        self._later.clear()
        self._failures = guarded.failures
        self._meter = self._new_meter()

    def end(self) -> list[Record]:
        """The pair was sent: its records, also of what was put off."""
        for exchange in self._later:
            self._meter.observe_deferred(exchange)
        self._meter.settle_pending()
        assert guarded.failures == self._failures, guarded.last_tracebacks[-1]
        return list(self._records)

    def _keep(self, record: Record, scopes: Any) -> None:  # noqa: ANN401 - not asked
        del scopes
        self._records.append(record)

    def wants(self, method: str, address: Address) -> bool:
        """Asked by the hooks."""
        return self._meter.wants(method, address)

    def begin(self, exchange: Exchange) -> None:
        """Told by the hooks."""
        self._meter.begin(exchange)

    def observe(self, exchange: Exchange) -> None:
        """Told by the hooks."""
        self._meter.observe(exchange)

    def observe_later(self, exchange: Exchange) -> None:
        """Told by the hooks."""
        self._later.append(exchange)
