"""The same endpoints without Jupyter: tokens say who asks, and the server listens on this machine only."""

from __future__ import annotations

import hmac
import re
import secrets
import socket
import tomllib
from http import HTTPStatus
from http.client import responses
from typing import TYPE_CHECKING, Any, Final

from tornado import web
from tornado.httpserver import HTTPServer

from nbtokens.errors import NbtokensError
from nbtokens.server.handling import (
    OPENAPI,
    READ,
    Caller,
    logger,
    methods_of,
    patterns,
    refuse,
    respond,
    route_of,
    send,
    send_document,
)
from nbtokens.server.pages import FILES, POLICY, page_file
from nbtokens.server.posting import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nbtokens.server.answers import Answers
    from nbtokens.server.endpoints import Route

PREFIX: Final = "/nbtokens"
_SHORT_PATHS: Final = ("/metrics", "/healthz")
"""Where monitoring looks; these are answered without the prefix too."""
_TOKEN: Final = re.compile(r"[!-~]{16,}")
_TOKENS_ARE: Final = "at least 16 characters: letters, digits and signs of ASCII, without spaces"
_QUIET_S: Final = 120.0
_BODY_S: Final = 60.0
"""Seconds after which a connection is closed on which nothing is asked, and a body has not come."""
_MOST_READ: Final = 100 * MOST_BYTES
"""A body that is too long is read so far, though not kept: who is still sending does not see the answer."""


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(32)


def read_tokens(path: Path) -> dict[str, Caller]:
    """Tokens of people who see their own calls only, from a TOML file: `[users]`, name = "token".

    Raises:
        NbtokensError: the file can't be read, or says something else.
    """
    try:
        users = tomllib.loads(path.read_text(encoding="utf-8")).get("users")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise NbtokensError(f"{path} can't be read: {error}") from error
    if not isinstance(users, dict) or not users:
        raise NbtokensError(f'{path} names no users; it must have a table [users] with lines as ada = "TOKEN"')
    for name, token in users.items():
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise NbtokensError(f"{path}: the token of {name!r} must be text of {_TOKENS_ARE}")
    if len(set(users.values())) < len(users):
        raise NbtokensError(f"{path}: two users have the same token")
    return {token: Caller(name, sees_all=False) for name, token in users.items()}


def admitted(token: str, users: Path | None) -> dict[str, Caller]:
    """Token -> who has it: the owner, who sees all, and the people of a file.

    Raises:
        NbtokensError: the file or the token can't be used.
    """
    if not _TOKEN.fullmatch(token):
        raise NbtokensError(f"The token of NBTOKENS_TOKEN must be text of {_TOKENS_ARE}")
    callers = read_tokens(users) if users is not None else {}
    if token in callers:
        raise NbtokensError(
            f"{users}: the token of {callers[token].name!r} is the one of NBTOKENS_TOKEN, which sees all"
        )
    return {**callers, token: Caller(None, sees_all=True)}


@web.stream_request_body
class _Handler(web.RequestHandler):
    """One path of the interface."""

    def initialize(self, routes: dict[str, Route], data: Answers, callers: Mapping[str, Caller]) -> None:
        """Take what `application` gives."""
        self._routes = routes
        self._methods = methods_of(routes or READ)
        self._data = data
        self._callers = callers
        self._body = bytearray()

    def data_received(self, chunk: bytes) -> None:
        """Keep a part of the body, as far as it takes to see that it is too long."""
        if len(self._body) <= MOST_BYTES:
            self._body += chunk

    def set_default_headers(self) -> None:
        """Tell nothing of the server."""
        self.clear_header("Server")

    def write_error(self, status_code: int, **kwargs: Any) -> None:  # noqa: ANN401, ARG002 - tornado's own
        """Tornado's own errors look like ours."""
        refuse(self, status_code, responses.get(status_code, "Unknown error"), self._methods)

    def log_exception(self, kind: Any, error: Any, trace: Any) -> None:  # noqa: ANN401 - tornado's own
        """Log what went wrong here; not what is wrong with a request, whose URL may hold the token."""
        if not isinstance(error, web.HTTPError):
            logger.error(
                "nbtokens: %s %s failed", self.request.method, self.request.path, exc_info=(kind, error, trace)
            )

    @property
    def cookie(self) -> str:
        """The cookie's name; servers on other ports of the machine have their own."""
        port = self.request.host.rpartition(":")[2]
        return f"nbtokens-{port}" if port.isdecimal() and port.isascii() else "nbtokens"

    def caller(self) -> Caller | None:
        """Who asks, by the token of the header or, for reading, of the URL or the cookie."""
        scheme, _, given = self.request.headers.get("Authorization", "").partition(" ")
        token = given.strip() if scheme.lower() in {"bearer", "token"} else ""
        if not token and self.request.method in READ:  # a page elsewhere could make a browser post with a cookie
            token = self.get_query_argument("token", "") or self.get_cookie(self.cookie) or ""
        found = None
        for known, caller in self._callers.items():
            if hmac.compare_digest(known.encode(), token.encode("utf-8", "surrogateescape")):
                found = caller
        return found

    def refuse_unknown(self) -> None:
        """Say that a token is needed."""
        self.set_header("WWW-Authenticate", 'Bearer realm="nbtokens"')
        refuse(self, 401, "A token is needed: the header Authorization: Bearer TOKEN.")

    async def handle(self, name: str = "") -> None:
        """Answer any method."""
        self.request.body = bytes(self._body)
        if self.request.method in self._methods:
            await self.answer(name)
        else:
            refuse(self, HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed.", self._methods)

    async def answer(self, name: str) -> None:
        """Answer a method that there is."""
        route = route_of(self._routes, self.request)
        caller = Caller(None, sees_all=False) if route.is_open else self.caller()
        if caller is None:
            self.refuse_unknown()
        else:
            await respond(self, route, self._data, caller, name)

    get = post = put = patch = delete = head = options = handle


class _Page(_Handler):
    """The web page. The token of the URL goes into a cookie, and so out of sight and out of the history."""

    async def answer(self, name: str) -> None:
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Referrer-Policy", "no-referrer")
        token = self.get_query_argument("token", "")
        if name == "/" and self.caller() is None:
            self.set_status(401)  # the page's script says what to do
        elif name == "/" and token:
            self.set_cookie(self.cookie, token, path=PREFIX, httponly=True, samesite="Lax")
            self.set_header("Cache-Control", "no-store")
            self.redirect(f"{PREFIX}/")
            return
        send(self, *page_file(name))


class _Document(_Handler):
    async def answer(self, name: str) -> None:  # noqa: ARG002 - there is one document
        if self.caller() is None:
            self.refuse_unknown()
        else:
            send_document(self)


class _ToPage(_Handler):
    async def answer(self, name: str) -> None:  # noqa: ARG002 - to the one page
        self.set_header("Cache-Control", "no-store")  # the URL may hold the token
        self.redirect(f"{PREFIX}/?{self.request.query}" if self.request.query else f"{PREFIX}/")


class _Unknown(_Handler):
    async def handle(self, name: str = "") -> None:  # noqa: ARG002 - there is nothing
        refuse(self, 404, f"There is nothing at this path; {PREFIX}{OPENAPI} lists what there is.")

    get = post = put = patch = delete = head = options = handle


def application(data: Answers, callers: Mapping[str, Caller]) -> web.Application:
    """The endpoints as an application of tornado.

    Args:
        data: where the answers come from.
        callers: token -> who has it.
    """
    handlers: list[Any] = []
    for pattern, routes in patterns():
        given = {"routes": routes, "data": data, "callers": callers}
        handlers.append((PREFIX + pattern, _Handler, given))
        if pattern in _SHORT_PATHS:
            handlers.append((pattern, _Handler, given))
    rest = {"routes": {}, "data": data, "callers": callers}
    handlers += [
        (PREFIX + OPENAPI, _Document, rest),
        (f"{PREFIX}({'|'.join(map(re.escape, FILES))})", _Page, rest),
        (f"(?:/|{PREFIX})", _ToPage, rest),
    ]
    return web.Application(
        handlers,
        default_handler_class=_Unknown,
        default_handler_args=rest,
        log_function=lambda _: None,  # a line of the log would hold the token of the URL
    )


def listen(app: web.Application, host: str, port: int) -> tuple[HTTPServer, int]:
    """Answer from here on; the server, and the port, chosen by the system where `port` is 0.

    Raises:
        NbtokensError: somebody else has the port, or there is no such address.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise NbtokensError(
            f"{host}:{port} can't be listened on: {getattr(error, 'strerror', None) or error}. Try --port 0."
        ) from error
    server = HTTPServer(app, max_body_size=_MOST_READ, idle_connection_timeout=_QUIET_S, body_timeout=_BODY_S)
    listening.setblocking(False)  # noqa: FBT003 - the socket's own way
    server.add_socket(listening)
    return server, listening.getsockname()[1]
