"""The clients of a replay: each believes that it speaks to a provider, and reaches a server on this machine."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import requests
from aiohttp.abc import AbstractResolver
from clients import HTTP, items, settled
from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from aiohttp.abc import ResolveResult
    from clients import Client, Http
    from pairs import Pair
    from servers import ScriptedServer

_HEADERS: Final = {"content-type": "application/json", "accept-encoding": "gzip"}
_PATIENCE: Final = 60.0


class Sender(Protocol):
    """One client."""

    async def send(self, pair: Pair, *, streamed: bool) -> bytes:
        """Send a pair's request, read the answer in one go or bit by bit, and return it."""

    async def close(self) -> None:
        """Let go of the connections."""


def senders(server: ScriptedServer) -> dict[str, Sender]:
    """A sender for each client, by name."""
    every: dict[str, Sender] = {str(http): _Httpx(http, server) for http in HTTP}
    return {**every, "requests": _Requests(server), "aiohttp": _Aiohttp(server)}


class _Httpx:
    def __init__(self, http: Http, server: ScriptedServer) -> None:
        self._http = http
        self._client: Client = http.client(transport=http.transport(server), timeout=_PATIENCE)

    async def send(self, pair: Pair, *, streamed: bool) -> bytes:
        request = self._client.build_request(pair.method, pair.url, content=pair.sent or None, headers=_HEADERS)
        response = await settled(self._client.send(request, stream=streamed))
        if not streamed:
            return bytes(response.content)
        try:
            return b"".join([part async for part in items(self._http.method(response, "iter_bytes")())])
        finally:
            await settled(self._http.method(response, "close")())

    async def close(self) -> None:
        await settled(self._http.method(self._client, "close")())


class _Requests:
    def __init__(self, server: ScriptedServer) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Elsewhere(server))

    async def send(self, pair: Pair, *, streamed: bool) -> bytes:
        options: Any = {"data": pair.sent or None, "headers": _HEADERS, "stream": streamed, "allow_redirects": False}
        with self._session.request(pair.method, pair.url, timeout=_PATIENCE, **options) as response:
            return b"".join(response.iter_content(None)) if streamed else response.content

    async def close(self) -> None:
        self._session.close()


class _Elsewhere(HTTPAdapter):
    """Brings every request to a server on this machine."""

    def __init__(self, server: ScriptedServer) -> None:
        super().__init__()
        self._server = server

    def send(self, request: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - the client's types
        there = request.copy()
        parts = urlsplit(request.url)
        there.url = urlunsplit(("http", self._server.address, parts.path, parts.query, ""))
        return super().send(there, *args, **options)


class _Aiohttp:
    """Speaks plain HTTP, since its connector makes no difference between a host's name and where it is found."""

    def __init__(self, server: ScriptedServer) -> None:
        self._server = server
        self._session: aiohttp.ClientSession | None = None

    async def send(self, pair: Pair, *, streamed: bool) -> bytes:
        if self._session is None:  # it must be made where a loop runs
            self._session = aiohttp.ClientSession(connector=_Connector(resolver=_Here(self._server)))
        url = urlunsplit(urlsplit(pair.url)._replace(scheme="http"))
        options: Any = {"data": pair.sent or None, "headers": _HEADERS, "allow_redirects": False}
        async with self._session.request(pair.method, url, **options) as response:
            if not streamed:
                return await response.read()
            return b"".join([part async for part in response.content.iter_any()])

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


class _Connector(aiohttp.TCPConnector):
    """Asks its resolver for addresses, too."""

    async def _resolve_host(self, host: str, port: int, traces: Any = None) -> list[ResolveResult]:  # noqa: ANN401
        return await self._resolver.resolve(host, port)


class _Here(AbstractResolver):
    """Finds every host on this machine."""

    def __init__(self, server: ScriptedServer) -> None:
        self._port = server.server_address[1]

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [{"hostname": host, "host": "127.0.0.1", "port": self._port, "family": family, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        """There is nothing to close."""
