"""Invoices as people see them: French and English, HTML and PDF."""

from __future__ import annotations

import io
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pypdf
import pytest

from supervision.billing import texts
from supervision.billing.document import PaymentNote, invoice_html, invoice_pdf, view
from supervision.billing.invoice import credit
from supervision.billing.model import Line
from tests.unit.billing.examples import START, TARIFF, invoice


def plain(text: str) -> str:
    return text.replace("\u202f", " ").replace("\xa0", " ")


def test_C29_french_invoice_has_every_mention() -> None:
    page = view(invoice(), locale="fr")
    assert page["title"] == "Facture F2026-000042"
    assert page["heads"] == ["Émise le 21 novembre 2026"]
    assert page["seller"] == [
        "Communauté de communes du Val de Drôme",
        "96 ronde des Alisiers",
        "26400 Eurre",
        "SIREN 242600252",
    ]
    assert page["buyer"] == ["Émilie <Œuvre>", "d1@example.org"]
    assert page["service"] == [
        "Autopartage : Zoé 1 (AB-123-CD), station Eurre",
        "Réservation du 21 nov. 2026 09:00 au 21 nov. 2026 15:30",
        "Véhicule restitué le 21 nov. 2026 16:01",
        "Distance parcourue : 66 km",
        "Réservation n° b1",
    ]
    rows = [tuple(plain(text) for text in line.values()) for line in page["lines"]]
    assert rows == [
        ("Durée d'utilisation", "5 h", "6,00 €", "20 %", "30,00 €"),
        ("Durée d'utilisation", "1 h 30", "6,50 €", "20 %", "9,75 €"),
        ("Kilomètres, au-delà de 10 km inclus", "56 km", "0,20 €", "20 %", "11,20 €"),
        ("Remise d'abonnement (30 %)", "1", "-15,29 €", "20 %", "-15,29 €"),
        ("Retard, par demi-heure", "2 demi-h", "10,00 €", "20 %", "20,00 €"),
        ("Frais de réservation", "1", "1,00 €", "20 %", "1,00 €"),
    ]
    totals = [tuple(plain(text) for text in total.values()) for total in page["totals"]]
    assert totals == [
        ("Total HT", "47,22 €"),
        ("TVA 20 % sur 47,22 € HT", "9,44 €"),
        ("Total TTC", "56,66 €"),
    ]
    assert page["notes"] == ["Paiement par carte prévu le 22 nov. 2026 16:01."]


def test_C29_a_seller_without_vat_says_so() -> None:
    untaxed = invoice(tariff=replace(TARIFF, vat_rate=Decimal(0)))
    page = view(untaxed, locale="fr")
    assert [total["label"] for total in page["totals"]] == ["Total à payer"]
    assert page["notes"][0] == "TVA non applicable"
    noted = view(replace(untaxed, vat_note="TVA non applicable, art. 293 B du CGI"), locale="fr")
    assert noted["notes"][0] == "TVA non applicable, art. 293 B du CGI"


def test_C29_credit_note_names_what_it_cancels() -> None:
    page = view(credit(invoice(), number=1, issued_at=START, previous_digest="0" * 64), locale="fr")
    assert page["title"] == "Avoir A2026-000001"
    assert page["heads"] == ["Émise le 21 novembre 2026", "Annule la facture F2026-000042"]
    assert page["notes"] == []


@pytest.mark.parametrize(
    ("state", "note"),
    [
        ("paid", "Payée par carte le 21 nov. 2026 09:00."),
        ("declined", "Paiement par carte refusé : un règlement est attendu."),
    ],
)
def test_C30_the_document_says_where_the_payment_stands(state: str, note: str) -> None:
    page = view(invoice(), locale="fr", payment=PaymentNote(state=state, at=START))
    assert page["notes"] == [note]


def test_html_escapes_names_and_speaks_english() -> None:
    page = invoice_html(invoice(), locale="en", stylesheet="/static/site.css")
    assert '<html lang="en">' in page
    assert '<link rel="stylesheet" href="/static/site.css">' in page
    assert "<title>Invoice F2026-000042</title>" in page
    assert "Émilie &lt;Œuvre&gt;<br>d1@example.org" in page
    assert "<p>Issued on 21 November 2026</p>" in page
    assert "style=" not in page


def test_pdf_is_tagged_and_holds_the_texts() -> None:
    pdf = pypdf.PdfReader(io.BytesIO(invoice_pdf(invoice())))
    text = plain(pdf.pages[0].extract_text())
    assert "Facture F2026-000042" in text
    assert "Émilie <Œuvre>" in text
    assert "Total TTC 56,66 €" in text
    root: Any = pdf.root_object
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "fr"
    assert pdf.metadata is not None
    assert pdf.metadata.title == "Facture F2026-000042"


def test_pdf_of_one_invoice_is_always_the_same_bytes() -> None:
    assert invoice_pdf(invoice()) == invoice_pdf(invoice())


def test_a_text_that_looks_like_markup_stays_text_in_the_pdf() -> None:
    tricky = '#panic("x") *b* $x$ \\ `c` </p>'
    named = invoice()
    pdf = invoice_pdf(replace(named, buyer=replace(named.buyer, name=tricky)))
    assert tricky in pypdf.PdfReader(io.BytesIO(pdf)).pages[0].extract_text()


def test_both_languages_have_the_same_words() -> None:
    for table in (texts.LINES, texts.UNITS, texts.WORDS):
        assert table["fr"].keys() == table["en"].keys()


@pytest.mark.parametrize(
    ("quantity", "shown"), [("2", "2 h"), ("0.5", "0 h 30"), ("1/6", "0 h 10"), ("2.25", "2 h 15")]
)
def test_hours_read_as_hours_and_minutes(quantity: str, shown: str) -> None:
    line = Line(
        code="time", quantity=quantity, unit="h", unit_cents=600, amount_cents=0, vat_rate=Decimal("0.2")
    )
    assert texts.line_quantity(line, "fr") == shown


def test_an_unknown_distance_is_announced() -> None:
    line = Line(
        code="km",
        quantity="0",
        unit="km",
        unit_cents=20,
        amount_cents=0,
        vat_rate=Decimal("0.2"),
        params={"known": False, "free_km": 0},
    )
    assert texts.line_label(line, "fr") == "Kilomètres, selon le trajet"
