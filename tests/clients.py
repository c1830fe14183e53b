"""The clients that the tests call with: httpx and httpx2, OpenAI's and Anthropic's SDK, each sync and async.

Tests are written once for all of them, as `async def`; `settled` and `items` take whatever a client gives.
"""

from __future__ import annotations

import inspect
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx
import httpx2
from servers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import ModuleType

    from servers import ScriptedServer

Client: TypeAlias = Any
Result: TypeAlias = Any
"""What a client gives: a value or an awaitable, an iterator or an asynchronous one."""

MESSAGES: Any = [{"role": "user", "content": "Why is the sky blue?"}]
MESSAGES_TOKENS = 6
"""Words and marks of `MESSAGES`, as the simulated model counts them."""
_TLS = ssl.create_default_context()
"""Shared, since making one takes longer than most tests; the servers speak plain HTTP."""
CHAT_REQUEST = {"model": "gpt-5", "messages": MESSAGES}


async def settled(value: Result) -> Result:
    """The value, awaited if it has to be."""
    return await value if inspect.isawaitable(value) else value


async def items(stream: Result) -> AsyncIterator[Result]:
    """The items of an iterable of either kind."""
    if hasattr(stream, "__aiter__"):
        async for item in stream:
            yield item
    else:
        for item in stream:
            yield item


@asynccontextmanager
async def entered(manager: Result) -> AsyncIterator[Result]:
    """A context manager of either kind."""
    if hasattr(manager, "__aenter__"):
        async with manager as inside:
            yield inside
    else:
        with manager as inside:
            yield inside


@dataclass(frozen=True)
class Http:
    """httpx or httpx2, sync or async."""

    module: ModuleType
    asynchronous: bool

    def __str__(self) -> str:
        return f"{self.module.__name__}-{'async' if self.asynchronous else 'sync'}"

    def client(self, **options: Any) -> Client:  # noqa: ANN401 - the client's own
        """A new client, to be entered."""
        make = self.module.AsyncClient if self.asynchronous else self.module.Client
        return make(**{"verify": _TLS, "timeout": PATIENCE, **options})

    def method(self, response: Result, name: str) -> Callable[..., Result]:
        """The response's method of that name, in this kind: `iter_raw` or `aiter_raw`."""
        method: Callable[..., Result] = getattr(response, ("a" if self.asynchronous else "") + name)
        return method

    def transport(self, server: ScriptedServer) -> Result:
        """A transport that brings every request, whatever its host, to a server on this machine.

        The client believes that it speaks to a provider; the bytes go over loopback.
        """
        module = self.module

        def there(request: Any) -> Any:  # noqa: ANN401 - the client's types
            url = request.url.copy_with(scheme="http", host="127.0.0.1", port=server.server_address[1])
            return module.Request(
                request.method, url, headers=request.headers, stream=request.stream, extensions=request.extensions
            )

        class Elsewhere(module.HTTPTransport):  # type: ignore[name-defined, misc]
            def handle_request(self, request: Any) -> Any:  # noqa: ANN401 - the client's types
                return super().handle_request(there(request))

        class AsyncElsewhere(module.AsyncHTTPTransport):  # type: ignore[name-defined, misc]
            async def handle_async_request(self, request: Any) -> Any:  # noqa: ANN401 - the client's types
                return await super().handle_async_request(there(request))

        return AsyncElsewhere() if self.asynchronous else Elsewhere()


HTTP = [Http(module, asynchronous) for module in (httpx, httpx2) for asynchronous in (False, True)]


@dataclass(frozen=True)
class Sdk:
    """One API of an SDK, sync or async.

    Attributes:
        api: the wire format.
        method: the method's path on the client.
        options: what it is called with, besides `stream`.
        streams: whether it can stream.
        asynchronous: which of the SDK's clients.
    """

    api: str
    method: str
    options: dict[str, Any]
    streams: bool
    asynchronous: bool

    def __str__(self) -> str:
        return f"{self.api}-{'async' if self.asynchronous else 'sync'}"

    @property
    def module(self) -> Any:  # noqa: ANN401 - a module that is imported at first use
        """The SDK; half a second that not every test needs."""
        return import_module(self.api.partition(".")[0])

    def client(self, base_url: str, **options: Any) -> Client:  # noqa: ANN401 - the client's own
        """A new client for a server, to be entered. It tries once."""
        options = {"api_key": "none", "max_retries": 0, **options}
        name, root = ("Anthropic", "") if self.api.startswith("anthropic") else ("OpenAI", "/v1")
        make: Client = getattr(self.module, f"Async{name}" if self.asynchronous else name)
        return make(base_url=base_url + root, **options)

    def ask(self, client: Client, **options: Any) -> Result:  # noqa: ANN401 - the method's own
        """Make the call."""
        method = client
        for name in self.method.split("."):
            method = getattr(method, name)
        return method(**self.options, **options)


_APIS: list[tuple[str, str, dict[str, Any], bool]] = [
    ("openai.chat", "chat.completions.create", CHAT_REQUEST, True),
    ("openai.completions", "completions.create", {"model": "gpt-5", "prompt": "Why is the sky blue?"}, True),
    ("openai.responses", "responses.create", {"model": "gpt-5", "input": "Why is the sky blue?"}, True),
    ("openai.embeddings", "embeddings.create", {"model": "gpt-5", "input": "Why is the sky blue?"}, False),
    ("anthropic.messages", "messages.create", {**CHAT_REQUEST, "max_tokens": 99}, True),
]
SDKS = [Sdk(*api, asynchronous) for api in _APIS for asynchronous in (False, True)]
STREAMING_SDKS = [sdk for sdk in SDKS if sdk.streams]
