"""Starlette routes of the API: bearer token in, JSON out, every error an object with a code."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from supervision.accounts.model import Identity
from supervision.log import Log
from supervision.services import Services
from supervision.store.db import StoreUnavailableError
from supervision.web.api.openapi import document
from supervision.web.api.operation import ApiError, Operation
from supervision.web.api.operations import OPERATIONS

log = Log("supervision.api")


def api_mount(services: Services) -> Mount:
    """Return the routes under /api/v1."""
    by_path: dict[str, list[Operation]] = {}
    for operation in OPERATIONS:
        by_path.setdefault(operation.path, []).append(operation)
    routes: list[Route | Mount] = [Route("/openapi.json", _openapi)]
    routes += [Route(path, _Resource(operations, services)) for path, operations in by_path.items()]
    return Mount("/api/v1", routes=routes)


async def _openapi(request: Request) -> Response:
    return JSONResponse(document(str(request.base_url).rstrip("/")))


class _Resource:
    """One path with its methods, as an ASGI application: errors leave as JSON, whatever they are."""

    def __init__(self, operations: list[Operation], services: Services) -> None:
        self._operations = {operation.method: operation for operation in operations}
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        try:
            operation = self._operation(request.method)
            return await operation.respond(request, self._services, await self._identity(request))
        except ApiError as error:
            return error.response()
        except StoreUnavailableError:
            return ApiError(503, "unavailable", "the database cannot commit now; try again").response()
        except HTTPException as error:  # a body over the limit, for one
            return ApiError(error.status_code, "refused", str(error.detail)).response()
        except Exception as error:
            log.error("api.failed", exc_info=error, path=request.url.path, method=request.method)
            return ApiError(500, "internal", "this is our fault; it has been logged").response()

    def _operation(self, method: str) -> Operation:
        operation = self._operations.get("GET" if method == "HEAD" else method)
        if operation is None:
            raise ApiError(405, "method_not_allowed", f"{method} is not for this path")
        return operation

    async def _identity(self, request: Request) -> Identity:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        identity = None
        if scheme.lower() == "bearer" and token:
            identity = await self._services.accounts.identity_for_token(token.strip())
        if identity is None:
            raise ApiError(401, "unauthenticated", "a valid bearer token is wanted")
        return identity
