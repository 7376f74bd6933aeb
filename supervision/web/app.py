"""The portal as one ASGI application: routes, errors as pages, security headers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from supervision import chance
from supervision.csms.devices.campaigns import PATH
from supervision.csms.devices.files import MAX_BYTES
from supervision.log import Log
from supervision.services import Services
from supervision.store.db import StoreUnavailableError
from supervision.web.body_limit import BodyLimit
from supervision.web.headers import SecurityHeaders
from supervision.web.pages import PUBLIC, ROUTES, Page
from supervision.web.views.driver_model import ErrorView
from supervision.web.visit import Cookies, PageError, SignInNeededError, Visit, visit_of

log = Log("supervision.web")
STATIC = Path(__file__).parent / "static"
MAX_BODY = 1024 * 1024
AROUND_A_FILE = 64 * 1024  # what a form puts around it
LARGER_BODIES = {PATH: MAX_BYTES + AROUND_A_FILE, "/firmware": MAX_BYTES + AROUND_A_FILE}


def create_app(services: Services, *, routes: Sequence[BaseRoute] = ()) -> Starlette:
    """Return the web application; `routes` of others (API, health) come first and make their own errors."""
    secure = services.settings.public_url.startswith("https://")
    portal = _Portal(services, Cookies(secure=secure))
    own: list[BaseRoute] = [
        Mount("/static", StaticFiles(directory=STATIC)),
        Route("/sw.js", _worker),
        Route("/manifest.webmanifest", _manifest),
        *(Route(path, portal.endpoint(page), methods=[method]) for method, path, page in ROUTES),
    ]
    return Starlette(
        routes=[*routes, *own],
        middleware=[
            Middleware(SecurityHeaders, secure=secure),
            Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5),
            Middleware(BodyLimit, max_bytes=MAX_BODY, larger=LARGER_BODIES),
        ],
        exception_handlers={HTTPException: portal.http_error, Exception: portal.crash},
    )


class _Portal:
    """Turns page functions into endpoints, and everything that goes wrong into a friendly page."""

    def __init__(self, services: Services, cookies: Cookies) -> None:
        self._services = services
        self._cookies = cookies

    def endpoint(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        """Wrap a page: the visit is known, forms are checked, errors are pages."""

        async def respond(request: Request) -> Response:
            visit = await visit_of(request, self._services, self._cookies)
            try:
                visit.check_address()
                if visit.identity is None and request.url.path not in PUBLIC:
                    raise SignInNeededError  # noqa: TRY301 - one way out for every page
                if request.method == "POST":
                    await visit.check_form()
                response = await page(visit)
            except SignInNeededError:
                response = visit.see("/login", next=visit.shell().here if request.method == "GET" else "/")
            except PageError as error:
                response = _error_page(visit, error.status)
            except StoreUnavailableError:
                response = _error_page(visit, 503)
            finally:
                await request.close()  # the file of a form, if there was one
            if visit.identity is None:
                self._cookies.put(response, "visitor", visit.csrf)
            return response

        return respond

    async def http_error(self, request: Request, error: Exception) -> Response:
        """Answer what Starlette refuses: unknown address, wrong method, too large a body."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        return await self._page(request, status)

    async def crash(self, request: Request, error: Exception) -> Response:
        """Log a bug under a reference the visitor can quote."""
        reference = chance.new_id()[:12]
        log.error("web.failed", exc_info=error, path=request.url.path, reference=reference)
        return await self._page(request, 500, reference)

    async def _page(self, request: Request, status: int, reference: str = "") -> Response:
        try:
            visit = await visit_of(request, self._services, self._cookies)
        except StoreUnavailableError:
            return Response(status_code=status)
        return _error_page(visit, status, reference)


def _error_page(visit: Visit, status: int, reference: str = "") -> Response:
    return visit.render("error.html", ErrorView(status=status, reference=reference), status=status)


async def _worker(_request: Request) -> Response:
    """The service worker stands at the root, because it may only serve pages below itself."""
    return FileResponse(STATIC / "sw.js", media_type="text/javascript", headers={"Cache-Control": "no-cache"})


async def _manifest(_request: Request) -> Response:
    icons = [
        {"src": "/static/icon-192.png", "sizes": "192x192", "type": "image/png"},
        {"src": "/static/icon-512.png", "sizes": "512x512", "type": "image/png", "purpose": "any maskable"},
    ]
    document = {
        "name": "Autopartage",
        "short_name": "Autopartage",
        "start_url": "/",
        "display": "standalone",
        "background_color": "#f2f5f7",
        "theme_color": "#0f2a43",
        "icons": icons,
    }
    return JSONResponse(document, media_type="application/manifest+json")
