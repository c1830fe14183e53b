"""The OpenAPI 3.1 document, made from the table of endpoints and the answers' shapes."""

from __future__ import annotations

import re
from functools import cache
from http import HTTPStatus
from typing import Any, Final

import msgspec

from nbtokens._version import __version__
from nbtokens.server.asking import LONGEST_NAME, NAME_PATTERN
from nbtokens.server.endpoints import JSON, ROUTES, Route
from nbtokens.server.posting import Batch
from nbtokens.server.shapes import Problem

_REF: Final = "#/components/schemas/{name}"
_NAMES: Final = {"user": "Whose usage.", "run_id": "The run's name."}


@cache
def document(below: str) -> bytes:
    """The document as JSON.

    Args:
        below: the path on the server that the document's paths stand below.
    """
    kinds = [route.shape for route in ROUTES if route.shape is not None]
    _, schemas = msgspec.json.schema_components([*kinds, Batch, Problem], ref_template=_REF)
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "nbtokens",
                "version": __version__,
                "description": "What LLM calls cost. Money is USD, days are UTC; an unpriced cost is null, never 0.",
            },
            "servers": [{"url": below}],
            "security": [{"token": []}],
            "paths": paths,
            "components": {
                "schemas": _with_numbers(schemas),
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            },
        }
    )


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.answer.__name__,
        "summary": route.about,
        "parameters": [*_in_path(route), *_in_query(route)],
        "responses": _responses(route),
    }
    if route.is_open:
        operation["security"] = []
    if route.method == "POST":
        schema = {"$ref": _REF.format(name=Batch.__name__)}
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    return operation


def _in_path(route: Route) -> list[dict[str, Any]]:
    schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME, "pattern": NAME_PATTERN}
    return [
        {"name": name, "in": "path", "required": True, "schema": schema, "description": _NAMES[name]}
        for name in re.findall(r"{(\w+)}", route.path)
    ]


def _in_query(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": one.name, "in": "query", "schema": one.schema, "description": one.about} for one in route.parameters
    ]


def _responses(route: Route) -> dict[str, Any]:
    if route.shape is None:
        content: dict[str, Any] = {"text/plain": {"schema": {"type": "string"}}}
    else:
        content = {JSON: {"schema": {"$ref": _REF.format(name=route.shape.__name__)}}}
    problem = {JSON: {"schema": {"$ref": _REF.format(name=Problem.__name__)}}}
    statuses = (*route.refusals, *(() if route.is_open else (401, 403, 503)))
    responses: dict[str, Any] = {"200": {"description": "The answer.", "content": content}}
    if route.method == "GET":
        responses["304"] = {"description": "The same as the If-None-Match of the request says."}
    for status in sorted(statuses):
        responses[str(status)] = {"description": HTTPStatus(status).phrase + ".", "content": problem}
    return responses


def _with_numbers(schema: Any) -> Any:  # noqa: ANN401 - any part of a JSON schema
    """The schema with money as the numbers that it is written as; msgspec takes it for text."""
    if isinstance(schema, list):
        return [_with_numbers(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "decimal":
        return {"type": "number"}
    return {name: _with_numbers(one) for name, one in schema.items()}
