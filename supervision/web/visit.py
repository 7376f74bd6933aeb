"""One request as a page sees it: who asks, in which language and colours, with which form.

Sessions live on the server (accounts); the cookie is a reference. Every form carries the session's token,
visitors without a session carry one of their own in a second cookie (double submit).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from supervision import chance
from supervision.accounts import rules
from supervision.accounts.model import Identity, Person
from supervision.kernel.errors import Refused
from supervision.services import Services
from supervision.web import rendering
from supervision.web.i18n import DEFAULT_LANGUAGE, LANGUAGES, Translator, negotiated, translator
from supervision.web.i18n.words import DONE, Words
from supervision.web.shell import THEMES, Flash, Shell, Theme, Viewer
from supervision.web.views.places import brand_of

PREFERENCES_LAST = timedelta(days=365)
_FETCH_SITES = {None, "same-origin", "none"}  # None: a browser too old to say; the token decides then


class SignInNeededError(Exception):
    """Nobody is signed in, and the page is not for everybody."""


class PageError(Exception):
    """The request ends with an error page of this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Cookies:
    """Names and attributes of our cookies: `__Host-` binds them to this host where there is TLS."""

    secure: bool

    def name(self, plain: str) -> str:
        """Return the name as sent."""
        return f"__Host-{plain}" if self.secure else plain

    def put(self, response: Response, plain: str, value: str, *, lasts: timedelta | None = None) -> None:
        """Set a cookie on the answer; without `lasts` it ends with the browser."""
        age = None if lasts is None else int(lasts.total_seconds())
        response.set_cookie(
            self.name(plain), value, max_age=age, path="/", secure=self.secure, httponly=True, samesite="lax"
        )

    def drop(self, response: Response, plain: str) -> None:
        """Remove a cookie."""
        response.delete_cookie(self.name(plain), path="/", secure=self.secure, httponly=True, samesite="lax")


@dataclass(frozen=True)
class Visit:
    """A request with everything a page handler needs; handlers return responses made here."""

    request: Request
    services: Services
    cookies: Cookies
    identity: Identity | None
    csrf: str
    brand: str = "Autopartage"
    flashes: tuple[Flash, ...] = ()

    # --- who -----------------------------------------------------------------------------------------

    @property
    def signed_in(self) -> Identity:
        """The person signed in, or the way to the sign-in page."""
        if self.identity is None:
            raise SignInNeededError
        return self.identity

    @property
    def person(self) -> Person:
        """The person signed in."""
        return self.signed_in.person

    @cached_property
    def supervised(self) -> list[str]:
        """Organisations the viewer supervises; 403 for everybody else."""
        found = rules.supervised(self.signed_in)
        if not found:
            raise PageError(403)
        return found

    @cached_property
    def administered(self) -> list[str]:
        """Organisations the viewer administers; 403 for whoever administers none."""
        found = rules.administered(self.signed_in)
        if not found:
            raise PageError(403)
        return found

    @property
    def address(self) -> str:
        """The network address of the client, as a trusted proxy tells it."""
        direct = self.request.client.host if self.request.client else ""
        if direct and direct == self.services.settings.trusted_proxy:
            forwarded = self.request.headers.get("x-forwarded-for", "")
            return forwarded.rpartition(",")[2].strip() or direct
        return direct

    # --- how -----------------------------------------------------------------------------------------

    @cached_property
    def now(self) -> datetime:
        """The instant of the request."""
        return self.services.clock.now()

    @property
    def language(self) -> str:
        """Chosen by hand, else the person's, else the browser's, else French."""
        chosen = self.request.cookies.get(self.cookies.name("language"), "")
        if chosen in LANGUAGES:
            return chosen
        if self.identity is not None:
            known = self.identity.person.locale
            return known if known in LANGUAGES else DEFAULT_LANGUAGE
        return negotiated(self.request.headers.get("accept-language", ""))

    @property
    def words(self) -> Translator:
        """The translator of the page's language."""
        return translator(self.language)

    @property
    def theme(self) -> Theme:
        """Chosen by hand, else as the system says."""
        chosen = self.request.cookies.get(self.cookies.name("theme"), "auto")
        return next((theme for theme in THEMES if theme == chosen), "auto")

    @property
    def query(self) -> Mapping[str, str]:
        """The query string."""
        return self.request.query_params

    @property
    def path(self) -> Mapping[str, str]:
        """Parts of the path."""
        return self.request.path_params

    @property
    def is_fragment(self) -> bool:
        """Tell whether htmx asks for a part of the page."""
        return self.request.headers.get("hx-request") == "true"

    async def form(self) -> Mapping[str, str]:
        """Text fields of the form; a file is left out."""
        data = await self._form()
        fields = {name: value for name, value in data.items() if isinstance(value, str)}
        if not all(map(_is_storable, fields.values())):
            raise PageError(400)
        return fields

    async def file(self, name: str) -> UploadFile | None:
        """The file of the form; None when there is none of that name."""
        found = (await self._form()).get(name)
        return found if isinstance(found, UploadFile) else None

    async def choices(self, name: str) -> frozenset[str]:
        """All values of a field that may be given several times."""
        return frozenset(one for one in (await self._form()).getlist(name) if isinstance(one, str))

    async def _form(self) -> FormData:
        return await self.request.form(max_files=1, max_fields=50)

    def check_address(self) -> None:
        """Nothing stands at an address that no database could be asked for."""
        if not all(map(_is_storable, (*self.path.values(), *self.query.values()))):
            raise PageError(404)

    async def check_form(self) -> None:
        """Refuse a form that is not ours: foreign origin, or not the session's token (ASVS 3.5.1)."""
        if self.request.headers.get("sec-fetch-site") not in _FETCH_SITES:
            raise PageError(403)
        given = (await self.form()).get("csrf", "")
        if not hmac.compare_digest(given.encode(), self.csrf.encode()):
            raise PageError(403)

    # --- answers --------------------------------------------------------------------------------------

    def shell(self) -> Shell:
        """The frame of the page."""
        url = self.request.url
        return Shell(
            path=url.path,
            here=f"{url.path}?{url.query}" if url.query else url.path,
            now=self.now,
            brand=self.brand,
            theme=self.theme,
            viewer=self._viewer(),
            csrf=self.csrf,
            flashes=self._flashes(),
            version=rendering.static_version(),
        )

    def render(self, template: str, view: object, *, status: int = 200) -> Response:
        """Answer with a whole page."""
        context = {"shell": self.shell(), "view": view}
        return HTMLResponse(rendering.render(template, context, language=self.language), status)

    def fragment(self, template: str, macro: str, *args: object, status: int = 200) -> Response:
        """Answer with a part of a page."""
        return HTMLResponse(rendering.render_part(template, macro, *args, language=self.language), status)

    def see(self, path: str, **query: str) -> Response:
        """Send the browser to a page after a form (303): reloading it repeats nothing."""
        return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, 303)

    def with_refusal(self, refused: Refused, *, zone: ZoneInfo) -> Visit:
        """Return the visit with the refusal's sentence, on the clock of `zone`, on top of the page."""
        text = Words(self.words).refusal(refused.code, refused.params, self.now.astimezone(zone))
        return replace(self, flashes=(*self.flashes, Flash(kind="error", text=text)))

    def _viewer(self) -> Viewer | None:
        if self.identity is None:
            return None
        person = self.identity.person
        return Viewer(
            name=person.name,
            email=person.email,
            manages=bool(rules.supervised(self.identity)),
            drives=bool(person.roles),
        )

    def _flashes(self) -> tuple[Flash, ...]:
        done = DONE.get(self.query.get("done", ""))
        return (
            self.flashes if done is None else (Flash(kind="ok", text=self.words.gettext(done)), *self.flashes)
        )


def _is_storable(text: str) -> bool:
    """No NUL, which PostgreSQL refuses, and no lone surrogate, which is no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


async def visit_of(request: Request, services: Services, cookies: Cookies) -> Visit:
    """Find out who asks."""
    token = request.cookies.get(cookies.name("session"), "")
    session = await services.accounts.session(token) if token else None
    if session is not None:
        brand = await brand_of(services, session.identity)
        return Visit(request, services, cookies, session.identity, session.csrf, brand)
    visitor = request.cookies.get(cookies.name("visitor"), "")
    return Visit(request, services, cookies, None, visitor or chance.new_token())


def local_path(text: str, default: str = "/") -> str:
    """Return `text` if it is a path on this site, else the default: no open redirect."""
    safe = (
        text.startswith("/") and not text.startswith(("//", "/\\")) and "\n" not in text and "\r" not in text
    )
    return text if safe else default
