"""Words of quotes and invoices in French and English, amounts and dates by Babel."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal, format_percent

from supervision.billing.model import Line

LOCALES = ("fr", "en")
FORMATS: Mapping[str, str] = {"fr": "fr_FR", "en": "en_GB"}  # days before months in both

LINES: Mapping[str, Mapping[str, str]] = {
    "fr": {
        "time": "Durée d'utilisation",
        "km": "Kilomètres",
        "day_cap": "Plafond par 24 h",
        "subscription_discount": "Remise d'abonnement ({percent} %)",
        "excess_buyback": "Rachat de franchise",
        "late": "Retard, par demi-heure",
        "late_waived": "Retard annulé : panne de notre matériel",
        "late_cap": "Plafond des pénalités de retard",
        "cancelled": "Annulation tardive ({percent} % de la durée réservée)",
        "no_show": "Véhicule réservé mais non utilisé ({percent} % de la durée réservée)",
        "booking_fee": "Frais de réservation",
    },
    "en": {
        "time": "Time of use",
        "km": "Kilometres",
        "day_cap": "Cap per 24 h",
        "subscription_discount": "Subscription discount ({percent} %)",
        "excess_buyback": "Excess buy-back",
        "late": "Late return, per half-hour",
        "late_waived": "Late return waived: our equipment failed",
        "late_cap": "Cap of the late return penalty",
        "cancelled": "Late cancellation ({percent} % of the booked time)",
        "no_show": "Vehicle booked but not used ({percent} % of the booked time)",
        "booking_fee": "Booking fee",
    },
}
FREE_KM: Mapping[str, str] = {
    "fr": ", au-delà de {free_km} km inclus",
    "en": ", beyond {free_km} km included",
}
KM_UNKNOWN: Mapping[str, str] = {"fr": ", selon le trajet", "en": ", as driven"}

UNITS: Mapping[str, Mapping[str, str]] = {
    "fr": {"h": "h", "km": "km", "day": "j", "half_hour": "demi-h", "item": "", "booking": ""},
    "en": {"h": "h", "km": "km", "day": "d", "half_hour": "half-h", "item": "", "booking": ""},
}

WORDS: Mapping[str, Mapping[str, str]] = {
    "fr": {
        "title_trip": "Facture {reference}",
        "title_credit": "Avoir {reference}",
        "issued_on": "Émise le {on}",
        "corrects": "Annule la facture {reference}",
        "seller": "Vendeur",
        "buyer": "Client",
        "siren": "SIREN {siren}",
        "vat_id": "N° de TVA {vat_id}",
        "service": "Autopartage : {vehicle}, station {station}",
        "from_to": "Réservation du {start} au {end}",
        "returned": "Véhicule restitué le {at}",
        "km": "Distance parcourue : {km} km",
        "booking": "Réservation n° {booking_id}",
        "head_label": "Désignation",
        "head_quantity": "Quantité",
        "head_unit": "Prix unitaire TTC",
        "head_vat": "TVA",
        "head_amount": "Montant TTC",
        "net": "Total HT",
        "vat": "TVA {vat_rate} sur {net} HT",
        "total": "Total TTC",
        "total_without_vat": "Total à payer",
        "vat_not_due": "TVA non applicable",
        "due": "Paiement par carte prévu le {at}.",
        "paid": "Payée par carte le {at}.",
        "asked": "Paiement par carte en cours.",
        "declined": "Paiement par carte refusé : un règlement est attendu.",
        "refund_due": "Remboursement sur la carte en cours.",
        "refund_failed": "Remboursement sur la carte impossible : contactez le service.",
        "refunded": "Montant remboursé sur la carte.",
        "lines": "Lignes de la facture",
        "totals": "Totaux",
    },
    "en": {
        "title_trip": "Invoice {reference}",
        "title_credit": "Credit note {reference}",
        "issued_on": "Issued on {on}",
        "corrects": "Cancels invoice {reference}",
        "seller": "Seller",
        "buyer": "Customer",
        "siren": "SIREN {siren}",
        "vat_id": "VAT id {vat_id}",
        "service": "Car sharing: {vehicle}, station {station}",
        "from_to": "Booking from {start} to {end}",
        "returned": "Vehicle returned on {at}",
        "km": "Distance driven: {km} km",
        "booking": "Booking no. {booking_id}",
        "head_label": "Description",
        "head_quantity": "Quantity",
        "head_unit": "Unit price incl. VAT",
        "head_vat": "VAT",
        "head_amount": "Amount incl. VAT",
        "net": "Total excl. VAT",
        "vat": "VAT {vat_rate} on {net} excl. VAT",
        "total": "Total incl. VAT",
        "total_without_vat": "Total due",
        "vat_not_due": "VAT not applicable",
        "due": "Card payment planned on {at}.",
        "paid": "Paid by card on {at}.",
        "asked": "Card payment in progress.",
        "declined": "Card payment declined: please pay.",
        "refund_due": "Refund to the card in progress.",
        "refund_failed": "Refund to the card failed: please contact the service.",
        "refunded": "Refunded to the card.",
        "lines": "Lines of the invoice",
        "totals": "Totals",
    },
}


def language(locale: str) -> str:
    """The supported language nearest to a locale: English if it is English, else French."""
    return "en" if locale.lower().startswith("en") else "fr"


def word(locale: str, name: str, **params: object) -> str:
    """A text of the document in the language of the reader."""
    return WORDS[language(locale)][name].format(**params)


def line_label(line: Line, locale: str) -> str:
    """What a line is for, e.g. "Retard, par demi-heure"."""
    lang = language(locale)
    label = LINES[lang][line.code].format(**{**line.params, "percent": _percent_text(line, lang)})
    if line.params.get("free_km"):
        label += FREE_KM[lang].format(**line.params)
    return label + (KM_UNKNOWN[lang] if line.params.get("known") is False else "")


def _percent_text(line: Line, lang: str) -> str:
    return str(format_decimal(Decimal(str(line.params.get("percent", 0))), locale=FORMATS[lang]))


def line_quantity(line: Line, locale: str) -> str:
    """Quantity with its unit; hours as hours and minutes, so that any step reads exactly: "2 h 30"."""
    lang = language(locale)
    if line.unit == "h":
        return _hours(line.quantity)
    number = format_decimal(Decimal(line.quantity), locale=FORMATS[lang])
    return f"{number} {UNITS[lang][line.unit]}".strip()


def _hours(quantity: str) -> str:
    above, _, below = quantity.partition("/")
    minutes = round(Decimal(above) * 60 / Decimal(below or 1))
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02d}" if rest else f"{hours} h"


def money(cents: int, currency: str, locale: str) -> str:
    """An amount for people: "12,00 €"."""
    return str(format_currency(Decimal(cents) / 100, currency, locale=FORMATS[language(locale)]))


def percentage(vat_rate: Decimal, locale: str) -> str:
    """A VAT rate for people: "5,5 %"."""
    return str(format_percent(vat_rate, format="#,##0.## %", locale=FORMATS[language(locale)]))


def day(on: date, locale: str) -> str:
    """A date for people: "21 novembre 2026"."""
    return str(format_date(on, format="long", locale=FORMATS[language(locale)]))


def moment(at: datetime, zone: ZoneInfo, locale: str) -> str:
    """A local date and time for people."""
    return str(format_datetime(at, "d MMM y HH:mm", tzinfo=zone, locale=FORMATS[language(locale)]))
