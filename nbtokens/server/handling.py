"""What the handlers in the Jupyter server and those standing alone share: from tornado's request to an answer."""

from __future__ import annotations

import logging
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from tornado.ioloop import IOLoop

from nbtokens.errors import NbtokensError
from nbtokens.server.asking import Asked, RefusedError
from nbtokens.server.endpoints import JSON, ROUTES, Route, encoded
from nbtokens.server.openapi import document
from nbtokens.server.shapes import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from tornado.httputil import HTTPServerRequest
    from tornado.web import RequestHandler

    from nbtokens.server.answers import Answers

logger: Final = logging.getLogger("nbtokens")
_workers: Final = ThreadPoolExecutor(16, "nbtokens-answers")
"""Work on answers; not the loop's own threads, on which a Jupyter server resolves the names of hosts."""
OPENAPI: Final = "/openapi.json"
READ: Final = ("GET", "HEAD")


class Caller(NamedTuple):
    """Who asks.

    Attributes:
        name: where it is known.
        sees_all: whether they may see everybody's calls.
    """

    name: str | None
    sees_all: bool


def patterns() -> list[tuple[str, dict[str, Route]]]:
    """Each path as a regular expression with at most one group, and its routes by method.

    Paths without a name come first: `/token-usage/cost-analysis` is no user.
    """
    paths: dict[str, dict[str, Route]] = {}
    for route in sorted(ROUTES, key=lambda one: "{" in one.path):
        paths.setdefault(re.sub(r"{\w+}", "([^/]+)", route.path), {})[route.method] = route
    return list(paths.items())


def methods_of(routes: Collection[str]) -> list[str]:
    """The methods of a path that has routes for some; what can be got can be asked for its headers alone."""
    return [*routes, *(["HEAD"] if "GET" in routes and "HEAD" not in routes else [])]


def route_of(routes: Mapping[str, Route], request: HTTPServerRequest) -> Route:
    """The route of a request whose method is one of `methods_of`."""
    return routes["GET" if request.method == "HEAD" else request.method or ""]


async def respond(handler: RequestHandler, route: Route, data: Answers, caller: Caller, name: str) -> None:
    """Answer a request. The work is done on another thread: a server's loop waits for no file and no database."""
    asked = asked_of(handler.request, data, caller, name)
    try:
        if route.is_open:  # nothing is read for it, and nothing that is may keep it waiting
            body, kind = encoded(route.answer(asked))
        else:
            body, kind = await IOLoop.current().run_in_executor(_workers, lambda: encoded(route.answer(asked)))
    except RefusedError as refusal:
        refuse(handler, refusal.status, str(refusal))
        return
    except NbtokensError as error:
        refuse(handler, 503, str(error))
        return
    send(handler, body, kind)


def asked_of(request: HTTPServerRequest, data: Answers, caller: Caller, name: str) -> Asked:
    """What a request asks for."""
    return Asked(
        data=data,
        today=datetime.now(UTC).date(),
        only=None if caller.sees_all else caller.name or "",
        name=name,
        query={
            key: [value.decode("utf-8", "replace") for value in values]
            for key, values in request.query_arguments.items()
        },
        body=request.body,
        content_type=request.headers.get("Content-Type", ""),
    )


def send(handler: RequestHandler, body: bytes, kind: str) -> None:
    """Send an answer. tornado gives it an ETag, and answers 304 where the client has it already."""
    handler.set_header("Cache-Control", "private, no-cache")
    handler.set_header("X-Content-Type-Options", "nosniff")
    _finish(handler, body, kind)


def send_document(handler: RequestHandler) -> None:
    """Send the OpenAPI document."""
    send(handler, document(handler.request.path.removesuffix(OPENAPI)), JSON)


def refuse(handler: RequestHandler, status: int, message: str, allow: Iterable[str] = ()) -> None:
    """Send an error as JSON.

    Args:
        handler: of the request.
        status: the HTTP status.
        message: what is wrong, and what to do.
        allow: the methods that there are, where the request's is not one of them.
    """
    handler.set_status(status)
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        handler.set_header("Allow", ", ".join(allow))
    handler.set_header("Cache-Control", "no-store")
    _finish(handler, msgspec.json.encode(Problem(message)), JSON)


def _finish(handler: Any, body: bytes, kind: str) -> None:  # noqa: ANN401 - either server's own handler
    """Jupyter's handlers set the content type in `finish`, and would replace ours."""
    if hasattr(handler, "update_api_activity"):
        handler.finish(body, set_content_type=kind)
    else:
        handler.set_header("Content-Type", kind)
        handler.finish(body)
