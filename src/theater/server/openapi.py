"""The OpenAPI document, made of the routes and the protocol's shapes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from theater import __version__
from theater.protocol.errors import ErrorBody
from theater.protocol.names import JSON
from theater.server.routes import ROUTES, Content, Route

_PARTS = {
    "actor": "An actor's id, a prefix of it that only it has, or its name",
    "channel": "The id of a channel that a client opened",
    "message": "The id of a dead letter or of a message that was set aside",
    "sha256": "Hexadecimal SHA-256 of the component's bytes",
}


def document() -> dict[str, object]:
    """Return the OpenAPI 3.1 document of the API, as JSON values."""
    shapes = sorted(_shapes(), key=lambda shape: shape.__name__)
    _, components = msgspec.json.schema_components(
        shapes, schema_hook=_any, ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, dict[str, object]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Theater",
            "version": __version__,
            "description": "Actors as WebAssembly components, whose every step is recorded.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route) -> dict[str, object]:
    parameters: list[object] = [
        _parameter("path", name, _PARTS[name], required=True)
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]
    parameters += [_parameter("query", name, text) for name, text in route.query.items()]
    if route.keyed:
        parameters.append(
            _parameter("header", "Idempotency-Key", "The same key is done once and answered alike")
        )
    answers: dict[str, object] = {
        str(status): {"description": route.summary, "content": _content(content)}
        for status, content in route.answers.items()
    }
    answers["default"] = {"description": "An error", "content": _content({JSON: ErrorBody})}
    operation: dict[str, object] = {
        "summary": route.summary,
        "operationId": _operation_id(route),
        "parameters": parameters,
        "responses": answers,
    }
    if route.body is not None:
        operation["requestBody"] = {"content": _content(route.body)}
    if route.path == "/healthz":
        operation["security"] = []
    return operation


def _operation_id(route: Route) -> str:
    words = re.findall(r"\w+", re.sub(r"\{\w+\}|/api/v1", "", route.path))
    return "_".join([route.method.lower(), *words])


def _parameter(place: str, name: str, text: str, *, required: bool = False) -> dict[str, object]:
    return {
        "name": name,
        "in": place,
        "required": required,
        "description": text,
        "schema": {"type": "string"},
    }


def _content(content: Content) -> dict[str, object]:
    return {kind: {"schema": _schema(shape)} for kind, shape in content.items()}


def _schema(shape: object) -> dict[str, object]:
    if shape is bytes:
        return {"type": "string", "format": "binary"}
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        return {"$ref": f"#/components/schemas/{shape.__name__}"}
    return {}


def _shapes() -> Iterator[type[msgspec.Struct]]:
    found: set[object] = {ErrorBody}
    for route in ROUTES:
        for content in (route.body or {}, *route.answers.values()):
            found.update(content.values())
    for shape in found:
        if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
            yield shape


def _any(_: type) -> dict[str, object]:
    return {"description": "Any JSON value"}
