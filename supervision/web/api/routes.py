"""Starlette routes of the API: bearer token in, JSON out, every error an object with a code."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
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
_READING = ("GET", "HEAD")


def api_mount(services: Services) -> Mount:
    """Return everything under /api: the operations of v1, their description, and a 404 in JSON."""
    by_path: dict[str, list[Operation]] = {}
    for operation in OPERATIONS:
        by_path.setdefault(operation.path, []).append(operation)
    routes = [Route(path, _Resource(operations, services)) for path, operations in by_path.items()]
    described = Route("/openapi.json", _Description())
    nothing = Route("/{path:path}", _Nothing())
    return Mount("/api", routes=[Mount("/v1", routes=[described, *routes, nothing]), nothing])


class _Answering:
    """An ASGI application whose errors leave as JSON, whatever they are."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self.respond(request)
        except ApiError as error:
            response = error.response()
        except StoreUnavailableError:
            response = ApiError(503, "unavailable", "the database cannot commit now; try again").response()
        except HTTPException as error:
            response = _of_http(error).response()
        except ClientDisconnect:
            return  # nobody is left to answer
        except Exception as error:
            log.error("api.failed", exc_info=error, path=request.url.path, method=request.method)
            response = ApiError(500, "internal", "this is our fault; it has been logged").response()
        await response(scope, receive, send)

    async def respond(self, request: Request) -> Response:
        """Answer or raise ApiError."""
        raise NotImplementedError


def _of_http(error: HTTPException) -> ApiError:
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return ApiError(413, "body_too_large", "the body is larger than any request of this API")
    return ApiError(error.status_code, "refused", str(error.detail))


def _wrong_method(method: str, allowed: Iterable[str]) -> ApiError:
    headers = {"Allow": ", ".join(sorted(allowed))}
    return ApiError(405, "method_not_allowed", f"{method} is not for this path", headers=headers)


class _Description(_Answering):
    async def respond(self, request: Request) -> Response:
        """Return the OpenAPI document; it is no secret."""
        if request.method not in _READING:
            raise _wrong_method(request.method, _READING)
        return JSONResponse(document(str(request.base_url).rstrip("/")))


class _Nothing(_Answering):
    async def respond(self, request: Request) -> Response:  # noqa: ARG002
        """Tell a program, in its own words, that the address is wrong."""
        raise ApiError(404, "not_found", "there is nothing at this address")


class _Resource(_Answering):
    """One path with its methods."""

    def __init__(self, operations: list[Operation], services: Services) -> None:
        self._operations = {operation.method: operation for operation in operations}
        if "GET" in self._operations:
            self._operations["HEAD"] = self._operations["GET"]
        self._services = services

    async def respond(self, request: Request) -> Response:
        """Find the operation and the caller, and run it."""
        operation = self._operations.get(request.method)
        if operation is None:
            raise _wrong_method(request.method, self._operations)
        return await operation.respond(request, self._services, await self._identity(request))

    async def _identity(self, request: Request) -> Identity:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        identity = None
        if scheme.lower() == "bearer" and token:
            identity = await self._services.accounts.identity_for_token(token.strip())
        if identity is None:
            headers = {"WWW-Authenticate": "Bearer"}
            raise ApiError(401, "unauthenticated", "a valid bearer token is wanted", headers=headers)
        return identity
