"""What one API operation is, and how a request becomes a call of it."""

from __future__ import annotations

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
from supervision.kernel.timespan import format_instant, parse_instant
from supervision.services import Services
from supervision.web.api.reading import NotJsonError, check_text, read_body
from supervision.web.api.schemas import COMPONENTS

MAX_LIMIT = 1000
MAX_MESSAGE = 300
DEFAULT_LIMIT = 100

JsonSchema = Mapping[str, Any]


class ApiError(Exception):
    """Answers the request with a status and the error object of API.md."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers
        shown = message if len(message) <= MAX_MESSAGE else message[:MAX_MESSAGE] + "…"
        self.body = {"code": code, "message": shown, "details": dict(details or {})}

    def response(self) -> Response:
        """Return the answer."""
        return JSONResponse(self.body, self.status, headers=self.headers)


def invalid(path: str, message: str) -> ApiError:
    """Return the error for a part of the request that is not as described; `details.field` names it."""
    return ApiError(422, "invalid_field", f"{path}: {message}", {"field": path})


def forbidden() -> ApiError:
    """Return the error for what the caller's roles, or the scope of the token, do not allow."""
    return ApiError(403, "forbidden", "your roles or your token do not allow this")


_STATUS = {
    "overlap": 409,
    "conflict": 409,
    "already_sent": 409,
    "already_ended": 409,
    "not_yours": 403,
    "forbidden": 403,
    "bad_credentials": 401,
}


def refusal_error(refused: Refused) -> ApiError:
    """Turn a refusal into an error: 409 for a conflict, 403, 404 for what is unknown, 422 else."""
    unknown = "unknown" in refused.code.split("_")
    status = 404 if unknown else _STATUS.get(refused.code, 422)
    facts = {name: _plain(value) for name, value in refused.params.items()}
    return ApiError(status, refused.code, _sentence(refused), facts)


def _plain(value: object) -> object:
    return format_instant(value) if isinstance(value, datetime) else value


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
    headers: Mapping[str, str] = field(default_factory=dict)  # those the operation names

    @property
    def organisations(self) -> list[str]:
        """Organisations the caller has a role in."""
        return rules.organisations_of(self.identity.person)

    @property
    def limit(self) -> int:
        """Page length asked for."""
        text = self.query.get("limit", str(DEFAULT_LIMIT))
        if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_LIMIT:
            raise invalid("limit", f"a whole number from 1 to {MAX_LIMIT} is wanted")
        return int(text)

    @property
    def after(self) -> str | None:
        """Cursor of the page before."""
        return self.query.get("after") or None

    @property
    def after_number(self) -> int:
        """Cursor of a list that is ordered by number."""
        text = self.after or "0"
        if not re.fullmatch("[0-9]{1,18}", text):
            raise invalid("after", "a cursor of this list is wanted")
        return int(text)

    def instant(self, name: str) -> datetime:
        """Return a required instant of the query string."""
        # A plus sign arrives as a space when a client did not escape it.
        return _instant(name, self.query[name].replace(" ", "+"))

    def body_instant(self, name: str) -> datetime:
        """Return a required instant of the body."""
        return _instant(name, str(self.body[name]))

    def require(self, predicate: Callable[[Identity, str], bool], organisation_id: str) -> None:
        """Refuse with 403 unless the permission holds."""
        if not predicate(self.identity, organisation_id):
            raise forbidden()


_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def _instant(name: str, text: str) -> datetime:
    if _RFC_3339.fullmatch(text):
        try:
            return parse_instant(text.upper())
        except (ValueError, OverflowError):  # 30 February; year 1 as seen from an hour east of Greenwich
            pass
    raise invalid(name, "an instant as in RFC 3339 is wanted, with its offset")


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
    headers: Mapping[str, str] = field(default_factory=dict)  # name -> description
    body: JsonSchema | None = None
    media_type: str = "application/json"
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
        try:
            call = Call(
                services=services,
                identity=identity,
                path=_path(request),
                query=self._query(request),
                body={} if self.body is None else self._checked(read_body(await request.body() or b"{}")),
                headers={name: request.headers[name] for name in self.headers if name in request.headers},
            )
            result = await self.handler(call)
        except FieldError as error:
            raise invalid(error.path, error.message) from None
        except NotJsonError as error:
            raise ApiError(400, "invalid_json", str(error)) from None
        return self._written(result)

    def _query(self, request: Request) -> Mapping[str, str]:
        given = {name: check_text("query", name) for name in request.query_params}
        missing = next((name for name in self.required_query if name not in given), None)
        if missing is not None:
            raise invalid(missing, "missing")
        return {name: check_text(name, value) for name, value in request.query_params.items()}

    def _checked(self, body: object) -> Mapping[str, Any]:
        error = next(self.body_validator.iter_errors(body), None)
        if error is not None:
            raise invalid(".".join(str(part) for part in error.instance_path) or "body", error.message)
        if not isinstance(body, dict):
            raise invalid("body", "an object is wanted")
        return body

    def _written(self, result: object) -> Response:
        if isinstance(result, Refused):
            raise refusal_error(result)
        if isinstance(result, Response):
            return result
        if isinstance(result, Answer):
            return JSONResponse(result.body, result.status)
        return JSONResponse(result, self.status)


def _path(request: Request) -> Mapping[str, str]:
    parts = {name: str(value) for name, value in request.path_params.items()}
    if any("\0" in part for part in parts.values()):
        raise ApiError(404, "not_found", "there is nothing at this address")
    return parts
