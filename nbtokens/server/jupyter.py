"""The extension of the Jupyter server: the endpoints behind the server's own authentication and authorisation.

Reading asks the server's authorizer for `read` on the resource `nbtokens`, posting for `write`. Whoever may `read`
`nbtokens:all` besides sees everybody's calls, others their own; without an authorizer of its own a server allows all.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from http.client import responses
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import allow_unauthenticated, authorized
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web

from nbtokens.config import load_config
from nbtokens.server.answers import answers_of
from nbtokens.server.handling import (
    OPENAPI,
    READ,
    Caller,
    methods_of,
    patterns,
    refuse,
    respond,
    route_of,
    send,
    send_document,
)
from nbtokens.server.pages import FILES, POLICY, page_file

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

    from nbtokens.server.answers import Answers
    from nbtokens.server.endpoints import Route

_RESOURCE: Final = "nbtokens"
_EVERYBODY: Final = "nbtokens:all"


class _Handler(APIHandler):
    """One path of the interface."""

    auth_resource = _RESOURCE

    def initialize(self, routes: dict[str, Route], data: Answers) -> None:
        """Take what `setup` gives."""
        self._routes = routes
        self._methods = methods_of(routes or READ)
        self._data = data

    def write_error(self, status_code: int, **kwargs: Any) -> None:  # noqa: ANN401, ARG002 - tornado's own
        """Errors of the server look like ours; to strangers it says 403, as to those who may not."""
        stranger = getattr(self, "_jupyter_current_user", self) is None  # looked for, and not found
        if status_code == HTTPStatus.FORBIDDEN and stranger and self.check_host():
            self.set_header("WWW-Authenticate", 'Bearer realm="Jupyter"')
            refuse(self, 401, "Log in to the Jupyter server, or send its token: Authorization: Bearer TOKEN.")
        else:
            refuse(self, status_code, responses.get(status_code, "Unknown error"), self._methods)

    async def _respond(self, name: str) -> None:
        if self.request.method in self._methods:
            await respond(self, route_of(self._routes, self.request), self._data, await self._caller(), name)
        else:
            refuse(self, HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed.", self._methods)

    async def _caller(self) -> Caller:
        user = self.current_user
        if not user:
            return Caller(None, sees_all=False)
        sees_all = await ensure_async(self.authorizer.is_authorized(self, user, "read", _EVERYBODY))
        return Caller(getattr(user, "username", None), sees_all=bool(sees_all))


class Closed(_Handler):
    """For those who may."""

    @web.authenticated
    @authorized
    async def get(self, name: str = "") -> None:
        """Answer."""
        await self._respond(name)

    head = get

    @web.authenticated
    @authorized
    async def post(self, name: str = "") -> None:
        """Take in."""
        await self._respond(name)


class Open(_Handler):
    """For anybody."""

    @allow_unauthenticated
    async def get(self) -> None:
        """Answer."""
        await self._respond("")

    head = get


class Document(_Handler):
    """The OpenAPI document."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Send it."""
        send_document(self)

    head = get


class Page(JupyterHandler):
    """The web page: who is not logged in is asked to."""

    auth_resource = _RESOURCE

    @property
    def content_security_policy(self) -> str:
        """The page's own, which is stricter than the server's."""
        return POLICY

    @web.authenticated
    @authorized
    async def get(self, path: str) -> None:
        """Send it, or one of its files."""
        send(self, *page_file(path))

    head = get


class Unknown(_Handler):
    """Any other path."""

    @web.authenticated
    async def get(self) -> None:
        """Say so."""
        refuse(self, 404, "There is nothing at this path; openapi.json lists what there is.")


def set_up(server: ServerApp) -> None:
    """Put the endpoints into a server, over the ledger of its root folder."""
    data = answers_of(load_config(Path(server.root_dir).expanduser()))
    base = url_path_join(server.web_app.settings["base_url"], "nbtokens")
    handlers: list[Any] = []
    for pattern, routes in patterns():
        kind = Open if all(route.is_open for route in routes.values()) else Closed
        handlers.append((base + pattern, kind, {"routes": routes, "data": data}))
    rest = {"routes": {}, "data": data}
    handlers += [
        (base + OPENAPI, Document, rest),
        (f"{base}({'|'.join(map(re.escape, FILES))})", Page),
        (base, web.RedirectHandler, {"url": f"{base}/"}),
        (base + "/.*", Unknown, rest),
    ]
    server.web_app.add_handlers(".*$", handlers)  # type: ignore[no-untyped-call]
