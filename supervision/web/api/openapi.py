"""The OpenAPI 3.1 document, made from the same table as the routes."""

from __future__ import annotations

from typing import Any

from supervision import __version__
from supervision.web.api.operation import DEFAULT_LIMIT, MAX_LIMIT, Operation
from supervision.web.api.operations import OPERATIONS
from supervision.web.api.schemas import COMPONENTS, ref

_LIMIT = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}


def document(server: str = "") -> dict[str, Any]:
    """Return the description of every operation."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Autopartage Supervision",
            "version": __version__,
            "description": "Times are RFC 3339 with an offset, money is integer cents, energy Wh, power W, "
            "current A per phase.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": f"{server}/api/v1"}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": COMPONENTS | {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "tags": [operation.tag],
        "operationId": operation.handler.__name__,
        "parameters": _parameters(operation),
        "responses": {
            str(operation.status): _content("Done", operation.answer, operation.media_type),
            "401": _content("No valid token", ref("Error")),
            "default": _content("Refused", ref("Error")),
        },
    }
    if operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": operation.body}},
        }
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    text = {"type": "string"}
    return (
        [{"name": name, "in": "path", "required": True, "schema": text} for name in operation.parameters]
        + [
            {
                "name": name,
                "in": "query",
                "required": name in operation.required_query,
                "description": description,
                "schema": _LIMIT if name == "limit" else text,
            }
            for name, description in operation.query.items()
        ]
        + [
            {"name": name, "in": "header", "required": False, "description": description, "schema": text}
            for name, description in operation.headers.items()
        ]
    )


def _content(description: str, schema: Any, media_type: str = "application/json") -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": schema}}}
