"""What one API operation is, and how a request becomes a call of it."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import jsonschema_rs
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from supervision.accounts import rules
from supervision.accounts.model import Identity
from supervision.kernel.errors import FieldError, Refused
from supervision.kernel.timespan import parse_instant
from supervision.services import Services
from supervision.web.api.schemas import COMPONENTS

MAX_LIMIT = 1000
DEFAULT_LIMIT = 100

JsonSchema = Mapping[str, Any]


class ApiError(Exception):
    """Answers the request with a status and the error object of API.md."""

    def __init__(
        self, status: int, code: str, message: str, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message, "details": dict(details or {})}

    def response(self) -> Response:
        """Return the answer."""
        headers = {"WWW-Authenticate": "Bearer"} if self.status == 401 else None  # noqa: PLR2004
        return JSONResponse(self.body, self.status, headers=headers)


_STATUS = {"overlap": 409, "conflict": 409, "not_yours": 403, "forbidden": 403, "bad_credentials": 401}


def refusal_error(refused: Refused) -> ApiError:
    """Turn a refusal into an error: 409 for a conflict, 403, 404 for what is unknown, 422 else."""
    unknown = "unknown" in refused.code.split("_")
    status = 404 if unknown else _STATUS.get(refused.code, 422)
    return ApiError(status, refused.code, _sentence(refused), refused.params)


def _sentence(refused: Refused) -> str:
    # The stable code is for programs; people who read JSON get it spelt with its facts.
    facts = ", ".join(
        f"{name} {value}" for name, value in refused.params.items() if not isinstance(value, list)
    )
    words = refused.code.replace("_", " ")
    return f"{words} ({facts})" if facts else words


@dataclass(frozen=True)
class Answer:
    """A body with a status other than 200."""

    status: int
    body: object


@dataclass(frozen=True)
class Call:
    """One authenticated request, its parts checked against the operation's schemas."""

    services: Services
    identity: Identity
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]
    base_url: str

    @property
    def organisations(self) -> list[str]:
        """Organisations the caller has a role in."""
        return rules.organisations_of(self.identity.person)

    @property
    def limit(self) -> int:
        """Page length asked for."""
        text = self.query.get("limit", str(DEFAULT_LIMIT))
        if not text.isdigit() or not 1 <= int(text) <= MAX_LIMIT:
            raise ApiError(422, "invalid_field", f"limit: a whole number from 1 to {MAX_LIMIT} is wanted")
        return int(text)

    @property
    def after(self) -> str | None:
        """Cursor of the page before."""
        return self.query.get("after") or None

    def instant(self, name: str) -> datetime:
        """Return a required instant of the query string."""
        try:
            # A plus sign arrives as a space when a client did not escape it.
            return parse_instant(self.query[name].replace(" ", "+"))
        except KeyError:
            raise ApiError(422, "invalid_field", f"{name}: missing") from None
        except ValueError:
            raise ApiError(422, "invalid_field", f"{name}: an instant with an offset is wanted") from None

    def body_instant(self, name: str) -> datetime:
        """Return a required instant of the body."""
        try:
            return parse_instant(str(self.body[name]))
        except ValueError:
            raise ApiError(422, "invalid_field", f"{name}: an instant with an offset is wanted") from None

    def require(self, predicate: Callable[[Identity, str], bool], organisation_id: str) -> None:
        """Refuse with 403 unless the permission holds."""
        if not predicate(self.identity, organisation_id):
            raise ApiError(403, "forbidden", "your roles or your token do not allow this")


Handler = Callable[[Call], Awaitable[object]]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One row of the API: what it is called, takes and answers."""

    method: str
    path: str
    summary: str
    handler: Handler
    answer: JsonSchema
    status: int = 200
    query: Mapping[str, str] = field(default_factory=dict)  # name -> description
    required_query: tuple[str, ...] = ()
    body: JsonSchema | None = None
    tag: str = ""

    @property
    def parameters(self) -> list[str]:
        """Names in braces in the path."""
        return re.findall(r"{(\w+)", self.path)

    @cached_property
    def body_validator(self) -> Any:
        """Compiled once; refers to the same components as the OpenAPI document."""
        return jsonschema_rs.validator_for({**dict(self.body or {}), "components": COMPONENTS})

    async def respond(self, request: Request, services: Services, identity: Identity) -> Response:
        """Check the request, run the handler, write its answer."""
        for name in self.required_query:
            if name not in request.query_params:
                raise ApiError(422, "invalid_field", f"{name}: missing")
        body = {} if self.body is None else self._checked(await _json_body(request))
        call = Call(
            services=services,
            identity=identity,
            path={name: str(value) for name, value in request.path_params.items()},
            query=dict(request.query_params),
            body=body,
            base_url=str(request.base_url).rstrip("/"),
        )
        try:
            result = await self.handler(call)
        except FieldError as error:
            raise ApiError(422, "invalid_field", str(error)) from error
        return self._written(result)

    def _checked(self, body: object) -> Mapping[str, Any]:
        error = next(self.body_validator.iter_errors(body), None)
        if error is not None:
            where = ".".join(str(part) for part in error.instance_path) or "body"
            raise ApiError(422, "invalid_field", f"{where}: {error.message}")
        if not isinstance(body, dict):
            raise ApiError(422, "invalid_field", "body: an object is wanted")
        return body

    def _written(self, result: object) -> Response:
        if isinstance(result, Refused):
            raise refusal_error(result)
        if isinstance(result, Response):
            return result
        if isinstance(result, Answer):
            return JSONResponse(result.body, result.status)
        return JSONResponse(result, self.status)


async def _json_body(request: Request) -> object:
    raw = await request.body()
    if not raw:
        return {}
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise ApiError(400, "invalid_json", "the body is not JSON") from None
