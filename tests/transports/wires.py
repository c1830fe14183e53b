"""Every HTTP client that is hooked, behind one face: a request goes out, and the body is read in one of the ways."""

from __future__ import annotations

import asyncio
import gc
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import aiohttp
import botocore.awsrequest
import botocore.httpsession
import httpx
import httpx2
import requests
import urllib3
from clients import HTTP, Http, entered, items, settled
from servers import wait_until

from nbtokens.transports.install import Hooks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from nbtokens.exchange import Address, Exchange

HEADERS: Final = {"content-type": "application/json"}
CLASSES: Final[tuple[tuple[type, str], ...]] = (
    (httpx.Client, "send"),
    (httpx.AsyncClient, "send"),
    (httpx2.Client, "send"),
    (httpx2.AsyncClient, "send"),
    (requests.Session, "send"),
    (aiohttp.ClientSession, "_request"),
    (botocore.httpsession.URLLib3Session, "send"),
    (urllib3.PoolManager, "urlopen"),
    (urllib3.HTTPConnectionPool, "urlopen"),
)
"""The classes that are hooked, and the method of each."""

Asking: TypeAlias = "Callable[[str, bytes, str], Awaitable[bytes]]"


@dataclass(frozen=True)
class Wire:
    """One client.

    Attributes:
        name: the client's.
        ask: posts a body to a URL and reads the answer `plain`, by `stream`, or leaves it `early`, after the first
            piece. Returns what it has read.
    """

    name: str
    ask: Asking

    def __str__(self) -> str:
        return self.name


def _httpx(http: Http) -> Asking:
    async def ask(url: str, body: bytes, way: str) -> bytes:
        async with entered(http.client()) as client:
            if way == "plain":
                response = await settled(client.post(url, content=body, headers=HEADERS))
                return bytes(response.content)
            read = b""
            async with entered(client.stream("POST", url, content=body, headers=HEADERS)) as response:
                async for part in items(http.method(response, "iter_bytes")()):
                    read += part
                    if way == "early":
                        break
            return read

    return ask


async def _requests(url: str, body: bytes, way: str) -> bytes:
    options: Any = {"headers": HEADERS, "stream": way != "plain", "timeout": 10}
    with requests.Session() as session, session.post(url, data=body, **options) as response:
        if way == "plain":
            return response.content
        parts = response.iter_content(None)
        return next(parts, b"") if way == "early" else b"".join(parts)


async def _aiohttp(url: str, body: bytes, way: str) -> bytes:
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=HEADERS) as response:
        if way == "plain":
            return await response.read()
        if way == "early":
            return await response.content.readany()
        return b"".join([part async for part in response.content.iter_any()])


async def _urllib3(url: str, body: bytes, way: str) -> bytes:
    with urllib3.PoolManager(retries=False) as pool:
        response = pool.request("POST", url, body=body, headers=HEADERS, preload_content=way == "plain")
        if way == "plain":
            return response.data
        parts = response.stream(decode_content=True)
        read = next(parts, b"") if way == "early" else b"".join(parts)
        parts.close()
        response.close()
        return read


async def _botocore(url: str, body: bytes, way: str) -> bytes:
    request = botocore.awsrequest.AWSRequest("POST", url, dict(HEADERS), body).prepare()
    request.stream_output = way != "plain"
    session = botocore.httpsession.URLLib3Session()
    response = session.send(request)
    if way == "plain":
        read: bytes = response.content
    else:
        parts = response.raw.stream()
        read = next(parts, b"") if way == "early" else b"".join(parts)
        parts.close()
        response.raw.close()
    session.close()
    return read


WIRES: Final = [
    *(Wire(str(http), _httpx(http)) for http in HTTP),
    Wire("requests", _requests),
    Wire("aiohttp", _aiohttp),
    Wire("urllib3", _urllib3),
    Wire("botocore", _botocore),
]


@dataclass
class Recorder:
    """An observer that wants everything, and keeps what it is told."""

    begun: list[Exchange] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    later: int = 0

    def wants(self, method: str, address: Address) -> bool:
        """Everything is wanted."""
        return True

    def begin(self, exchange: Exchange) -> None:
        """Keep what is sent."""
        self.begun.append(exchange)

    def observe(self, exchange: Exchange) -> None:
        """Keep what has come to its end."""
        self.exchanges.append(exchange)

    def observe_later(self, exchange: Exchange) -> None:
        """The same, from a destructor."""
        self.later += 1
        self.exchanges.append(exchange)

    def only(self) -> Exchange:
        """The one exchange that there was; also when what is left over is collected."""
        gc.collect()
        assert len(self.exchanges) == 1, self.exchanges
        return self.exchanges[0]

    def wait_for(self, count: int) -> list[Exchange]:
        """Wait until so many exchanges have ended."""
        wait_until(lambda: len(self.exchanges) >= count)
        assert len(self.exchanges) == count
        return self.exchanges


@contextmanager
def recorded() -> Iterator[Recorder]:
    """Hook all clients for a recorder."""
    recorder = Recorder()
    hooks = Hooks(recorder)
    hooks.install()
    try:
        yield recorder
    finally:
        hooks.uninstall()


def run(wire: Wire, url: str, body: bytes, way: str) -> bytes:
    """Ask, from a place that is not asynchronous."""

    async def ask() -> bytes:
        return await wire.ask(url, body, way)

    return asyncio.run(ask())
