"""Signing in and out, language and colours, the first page."""

from __future__ import annotations

from dataclasses import replace

from starlette.responses import Response

from supervision.accounts import rules
from supervision.kernel.errors import Refused
from supervision.web.i18n import LANGUAGES
from supervision.web.shell import THEMES
from supervision.web.views.driver_model import ErrorView, LoginView, Refusal
from supervision.web.visit import PREFERENCES_LAST, Visit, local_path


async def home(visit: Visit) -> Response:
    """Send everybody to the page they came for."""
    return visit.see("/supervision" if rules.supervised(visit.signed_in) else "/drive")


async def login(visit: Visit) -> Response:
    """Show the sign-in form."""
    if visit.identity is not None:
        return visit.see("/")
    return visit.render(
        "login.html", LoginView(email="", next=local_path(visit.query.get("next", "/")), refusal=None)
    )


async def sign_in(visit: Visit) -> Response:
    """Open a session, or show why not, without saying which of the two was wrong."""
    form = await visit.form()
    email, onward = form.get("email", ""), local_path(form.get("next", "/"))
    opened = await visit.services.accounts.sign_in(email, form.get("password", ""), address=visit.address)
    if isinstance(opened, Refused):
        view = LoginView(email=email, next=onward, refusal=Refusal(code=opened.code, params=opened.params))
        return visit.render("login.html", view, status=429 if opened.code == "too_many_attempts" else 401)
    response = visit.see(onward)
    visit.cookies.put(response, "session", opened.token, lasts=opened.expires_at - visit.now)
    return response


async def sign_out(visit: Visit) -> Response:
    """End the session on the server and in the browser."""
    token = visit.request.cookies.get(visit.cookies.name("session"), "")
    await visit.services.accounts.sign_out(token)
    response = visit.see("/login")
    visit.cookies.drop(response, "session")
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


async def preferences(visit: Visit) -> Response:
    """Keep language and colours, for visitors too."""
    form = await visit.form()
    response = visit.see(local_path(form.get("back", "/")))
    if (language := form.get("language", "")) in LANGUAGES:
        visit.cookies.put(response, "language", language, lasts=PREFERENCES_LAST)
        if visit.identity is not None:
            await visit.services.accounts.set_locale(visit.person, language)
    if (theme := form.get("theme", "")) in THEMES:
        visit.cookies.put(response, "theme", theme, lasts=PREFERENCES_LAST)
    return response


async def offline(visit: Visit) -> Response:
    """Keep a page for the service worker."""
    nobody = replace(visit, identity=None, csrf="")  # the saved copy must name nobody
    return nobody.render("offline.html", ErrorView(status=0, reference=""))


ROUTES = (
    ("GET", "/", home),
    ("GET", "/login", login),
    ("POST", "/login", sign_in),
    ("POST", "/logout", sign_out),
    ("POST", "/preferences", preferences),
    ("GET", "/offline", offline),
)
