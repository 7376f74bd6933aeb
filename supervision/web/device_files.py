"""Where stations fetch firmware and leave logs: one address each, with a token that only they were told.

Everything that is not exactly such an address answers 404, whatever was wrong with it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from http import HTTPStatus

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from supervision.csms.devices.campaigns import PATH
from supervision.csms.devices.files import Purpose
from supervision.kernel.errors import Refused
from supervision.services import Services

CHUNK_BYTES = 256 * 1024
_NAME = "{token}/{name:path}"


def device_file_routes(services: Services) -> list[Route]:
    """Return the routes; they need no session and set no cookie."""

    async def fetch(request: Request) -> Response:
        link = await services.files.open_link(request.path_params["token"], Purpose.DOWNLOAD)
        found = None if link is None else await services.files.file(link.organisation_id, link.file_id)
        if found is None:
            return _nothing()
        document, path = found
        return FileResponse(path, media_type="application/octet-stream", filename=document["name"])

    async def leave(request: Request) -> Response:
        link = await services.files.open_link(request.path_params["token"], Purpose.UPLOAD)
        if link is None:
            return _nothing()
        try:
            received = await services.files.receive(link, _body(request))
        except ClientDisconnect:
            return PlainTextResponse("broken off\n", HTTPStatus.BAD_REQUEST)
        if isinstance(received, Refused):
            return PlainTextResponse("too large\n", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return PlainTextResponse("stored\n", HTTPStatus.CREATED)

    return [
        Route(PATH + _NAME, fetch, methods=["GET"]),
        Route(PATH + _NAME, leave, methods=["PUT", "POST"]),
    ]


async def _body(request: Request) -> AsyncIterator[bytes]:
    """The bytes of the file: the first one of a form, or the body itself."""
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        async with request.form(max_files=1, max_fields=10) as form:
            files = [item for item in form.values() if isinstance(item, UploadFile)]
            if not files:
                raise HTTPException(HTTPStatus.BAD_REQUEST)
            while chunk := await files[0].read(CHUNK_BYTES):
                yield chunk
        return
    async for chunk in request.stream():
        yield chunk


def _nothing() -> Response:
    return PlainTextResponse("not found\n", HTTPStatus.NOT_FOUND)
