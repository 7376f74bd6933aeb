"""What every page shares: who looks, in which colours, where one can go, what just happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from supervision.web.i18n import N_

Theme = Literal["auto", "light", "dark"]
THEMES: tuple[Theme, ...] = ("auto", "light", "dark")


@dataclass(frozen=True, kw_only=True)
class NavItem:
    """An entry of the main navigation; `label` is a message id."""

    href: str
    label: str
    icon: str


@dataclass(frozen=True, kw_only=True)
class Flash:
    """A message shown once; `text` is already a sentence of the reader's language."""

    kind: Literal["ok", "error", "info"]
    text: str


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """The person signed in, as the pages need them."""

    name: str
    email: str
    manages: bool
    drives: bool


@dataclass(frozen=True, kw_only=True)
class Shell:
    """The frame around a page."""

    path: str
    now: datetime
    here: str = ""
    brand: str = "Autopartage"
    theme: Theme = "auto"
    viewer: Viewer | None = None
    csrf: str = ""
    flashes: tuple[Flash, ...] = ()
    alerts: int = 0
    version: str = ""

    @property
    def nav(self) -> tuple[NavItem, ...]:
        """Entries for the roles of the viewer."""
        if self.viewer is None:
            return ()
        return (MANAGER_NAV if self.viewer.manages else ()) + (DRIVER_NAV if self.viewer.drives else ())

    def is_current(self, item: NavItem) -> bool:
        """Tell whether the page stands under this entry."""
        return self.path == item.href or self.path.startswith(item.href + "/")


MANAGER_NAV = (
    NavItem(href="/supervision", label=N_("Supervision"), icon="gauge"),
    NavItem(href="/charging-stations", label=N_("Charging stations"), icon="plug-zap"),
    NavItem(href="/charging/review", label=N_("To settle"), icon="triangle-alert"),
)
DRIVER_NAV = (
    NavItem(href="/drive", label=N_("Book"), icon="search"),
    NavItem(href="/bookings", label=N_("My bookings"), icon="calendar-clock"),
    NavItem(href="/invoices", label=N_("Invoices"), icon="receipt-text"),
)
