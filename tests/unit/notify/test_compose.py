"""Every message, word for word, in both languages."""

from __future__ import annotations

import itertools
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from jinja2 import UndefinedError, meta

from supervision.notify import gsm7
from supervision.notify.compose import FOLDER, MAX_SUBJECT, channels_of, compose, environment
from supervision.notify.model import LANGUAGES, Channel, Template
from supervision.notify.say import Say
from tests.unit.notify.examples import EN, FACTS, FR, START

NBSP = "\u00a0"
SAYS = {"fr": FR, "en": EN}
END = {
    "fr": f"Besoin d'aide{NBSP}? Appelez le 04 75 00 00 00.\n\nÀ bientôt,\nVal de Drôme\n",
    "en": "Need help? Call 04 75 00 00 00.\n\nSee you soon,\nVal de Drôme\n",
}
LINK = "https://autopartage.example/bookings/b1"

SUBJECTS = {
    ("fr", "booking_made"): f"Réservation confirmée{NBSP}: Zoé bleue, samedi 21 novembre",
    ("fr", "code_released"): "Votre code d'accès pour Zoé bleue, samedi 21 novembre",
    ("fr", "booking_moved"): f"Réservation modifiée{NBSP}: Zoé bleue, samedi 21 novembre",
    ("fr", "booking_cancelled"): f"Réservation annulée{NBSP}: Zoé bleue, samedi 21 novembre",
    ("fr", "booking_late"): "Zoé bleue est attendue à Eurre",
    ("fr", "next_driver_warned"): "Zoé bleue pourrait être en retard, samedi 21 novembre",
    ("fr", "invoice_issued"): f"Votre facture F2026-000042{NBSP}: 13,00{NBSP}€",
    ("fr", "payment_declined"): f"Paiement refusé{NBSP}: facture F2026-000042",
    ("fr", "password_link"): "Votre mot de passe pour Val de Drôme",
    ("en", "booking_made"): "Booking confirmed: Zoé bleue, Saturday 21 November",
    ("en", "code_released"): "Your access code for Zoé bleue, Saturday 21 November",
    ("en", "booking_moved"): "Booking changed: Zoé bleue, Saturday 21 November",
    ("en", "booking_cancelled"): "Booking cancelled: Zoé bleue, Saturday 21 November",
    ("en", "booking_late"): "Zoé bleue is expected back in Eurre",
    ("en", "next_driver_warned"): "Zoé bleue may be late, Saturday 21 November",
    ("en", "invoice_issued"): "Your invoice F2026-000042: €13.00",
    ("en", "payment_declined"): "Payment declined: invoice F2026-000042",
    ("en", "password_link"): "Your password for Val de Drôme",
}

MAILS = {
    ("fr", "booking_made"): f"""Bonjour Chloé Martin,

Votre réservation est confirmée.

Zoé bleue (AB-123-CD), à Eurre
samedi 21 novembre de 18:00 à 20:00
Prix prévu{NBSP}: 13,00{NBSP}€

Votre code d'accès vous parviendra peu avant le départ. Pour prolonger, raccourcir ou annuler{NBSP}:
{LINK}

""",
    ("fr", "code_released"): f"""Bonjour Chloé Martin,

Zoé bleue (AB-123-CD) vous attend à Eurre.

Votre code{NBSP}: 48213370
Boîte à clés{NBSP}: case 3
Valable samedi 21 novembre de 17:45 à 20:15

Tapez-le sur la boîte à clés, puis dans la voiture. Gardez-le pour vous. Votre réservation{NBSP}:
{LINK}

""",
    ("fr", "booking_moved"): f"""Bonjour Chloé Martin,

Votre réservation est prolongée.

Zoé bleue (AB-123-CD), à Eurre
samedi 21 novembre de 18:00 à 20:00
Prix prévu{NBSP}: 13,00{NBSP}€

Si un code vous a déjà été envoyé, le nouveau suit. Votre réservation{NBSP}:
{LINK}

""",
    ("fr", "booking_cancelled"): f"""Bonjour Chloé Martin,

Nous avons dû annuler votre réservation. Veuillez nous en excuser.

Zoé bleue (AB-123-CD), à Eurre
samedi 21 novembre de 18:00 à 20:00

Pour réserver une autre voiture ou un autre jour{NBSP}:
{LINK}

""",
    ("fr", "booking_late"): f"""Bonjour Chloé Martin,

Votre réservation de Zoé bleue (AB-123-CD) s'est terminée samedi 21 novembre à 20:00 et la voiture n'est \
pas encore revenue à Eurre.

Ramenez-la et branchez-la dès que possible. Si personne ne l'attend, vous pouvez prolonger{NBSP}:
{LINK}

Un retard peut être facturé selon votre tarif.

""",
    ("fr", "next_driver_warned"): f"""Bonjour Chloé Martin,

Zoé bleue (AB-123-CD), que vous avez réservée samedi 21 novembre à 18:00, n'est pas encore revenue à Eurre. \
Le conducteur précédent est prévenu.

Si vous ne pouvez pas attendre, choisissez une autre voiture ou un autre horaire{NBSP}:
{LINK}

""",
    ("fr", "invoice_issued"): f"""Bonjour Chloé Martin,

Merci d'avoir roulé avec nous. Votre facture F2026-000042 est disponible.

Montant TTC{NBSP}: 13,00{NBSP}€

{LINK}

""",
    ("fr", "payment_declined"): f"""Bonjour Chloé Martin,

Le paiement de votre facture F2026-000042 (13,00{NBSP}€) a été refusé. Cela arrive, par exemple quand une \
carte a expiré.

Pour régler ou changer de carte{NBSP}:
{LINK}

""",
    ("fr", "password_link"): f"""Bonjour Chloé Martin,

Choisissez votre mot de passe avec ce lien, qui ne sert qu'une fois{NBSP}:
{LINK}

Vous n'attendiez pas ce message{NBSP}? Ignorez-le, rien ne changera.

""",
    ("en", "booking_made"): f"""Hello Chloé Martin,

Your booking is confirmed.

Zoé bleue (AB-123-CD), in Eurre
Saturday 21 November from 18:00 to 20:00
Expected price: €13.00

Your access code will reach you shortly before you leave. To extend, shorten or cancel:
{LINK}

""",
    ("en", "code_released"): f"""Hello Chloé Martin,

Zoé bleue (AB-123-CD) is waiting for you in Eurre.

Your code: 48213370
Key box: slot 3
Valid Saturday 21 November from 17:45 to 20:15

Enter it on the key box, then in the car. Keep it to yourself. Your booking:
{LINK}

""",
    ("en", "booking_moved"): f"""Hello Chloé Martin,

Your booking is extended.

Zoé bleue (AB-123-CD), in Eurre
Saturday 21 November from 18:00 to 20:00
Expected price: €13.00

If a code was sent to you already, the new one follows. Your booking:
{LINK}

""",
    ("en", "booking_cancelled"): f"""Hello Chloé Martin,

We had to cancel your booking. Please accept our apologies.

Zoé bleue (AB-123-CD), in Eurre
Saturday 21 November from 18:00 to 20:00

To book another car or another day:
{LINK}

""",
    ("en", "booking_late"): f"""Hello Chloé Martin,

Your booking of Zoé bleue (AB-123-CD) ended on Saturday 21 November at 20:00 and the car is not back in \
Eurre yet.

Please bring it back and plug it in as soon as you can. If nobody is waiting for it, you can extend:
{LINK}

A late return may be billed as your tariff says.

""",
    ("en", "next_driver_warned"): f"""Hello Chloé Martin,

Zoé bleue (AB-123-CD), which you booked for Saturday 21 November at 18:00, is not back in Eurre yet. The \
driver before you has been told.

If you cannot wait, choose another car or another time:
{LINK}

""",
    ("en", "invoice_issued"): f"""Hello Chloé Martin,

Thank you for driving with us. Your invoice F2026-000042 is ready.

Total with VAT: €13.00

{LINK}

""",
    ("en", "payment_declined"): f"""Hello Chloé Martin,

The payment of your invoice F2026-000042 (€13.00) was declined. It happens, for instance when a card has \
expired.

To pay or to change the card:
{LINK}

""",
    ("en", "password_link"): f"""Hello Chloé Martin,

Choose your password with this link, which works once:
{LINK}

You did not expect this message? Ignore it, nothing will change.

""",
}

SMS = {
    (
        "fr",
        "code_released",
    ): "Zoé bleue, Eurre : code 48213370, boite à clés case 3, valable 21/11 17:45-20:15."
    " Aide : 04 75 00 00 00",
    ("fr", "booking_cancelled"): "Réservation annulée par le service, pardon : Zoé bleue, Eurre,"
    " 21/11 18:00-20:00. Aide : 04 75 00 00 00",
    ("fr", "booking_late"): "Zoé bleue était attendue à Eurre à 20:00. Ramenez-la ou prolongez sur le site."
    " Aide : 04 75 00 00 00",
    ("fr", "next_driver_warned"): "Zoé bleue, réservée à 18:00 à Eurre, n'est pas encore revenue."
    " Aide : 04 75 00 00 00",
    ("en", "code_released"): "Zoé bleue, Eurre: code 48213370, key box slot 3, valid 21/11 17:45-20:15."
    " Help: 04 75 00 00 00",
    ("en", "booking_cancelled"): "We had to cancel your booking: Zoé bleue, Eurre, 21/11 18:00-20:00."
    " Help: 04 75 00 00 00",
    ("en", "booking_late"): "Zoé bleue was expected in Eurre at 20:00. Bring it back or extend on the site."
    " Help: 04 75 00 00 00",
    (
        "en",
        "next_driver_warned",
    ): "Zoé bleue, booked for 18:00 in Eurre, is not back yet. Help: 04 75 00 00 00",
}

EVERY = list(itertools.product(LANGUAGES, Template))


@pytest.mark.parametrize(("language", "template"), EVERY)
def test_C24_mail_each_template_has_its_exact_words(language: str, template: Template) -> None:
    words = compose(template, Channel.MAIL, say=SAYS[language], facts=FACTS)
    assert words.subject == SUBJECTS[language, template]
    assert words.text == MAILS[language, template] + END[language]


@pytest.mark.parametrize(("language", "template"), sorted(SMS))
def test_C24_sms_each_template_has_its_exact_words(language: str, template: str) -> None:
    words = compose(Template(template), Channel.SMS, say=SAYS[language], facts=FACTS)
    assert words.text == SMS[language, template]


@pytest.mark.parametrize("by", ["driver", "no_show"])
def test_booking_cancelled_who_cancelled_changes_the_words(by: str) -> None:
    expected = {
        "driver": "Votre réservation est bien annulée.",
        "no_show": f"La voiture n'a pas été prise{NBSP}: votre réservation est annulée.",
    }
    words = compose(Template.BOOKING_CANCELLED, Channel.MAIL, say=FR, facts={**FACTS, "by": by})
    assert words.text.split("\n\n")[1] == expected[by]


def test_code_released_second_revision_says_that_the_first_is_void() -> None:
    words = compose(Template.CODE_RELEASED, Channel.MAIL, say=FR, facts={**FACTS, "replaces": True})
    assert "\nCe code remplace le précédent, qui n'ouvre plus.\n" in words.text


def test_code_released_without_slot_or_help_line_leaves_no_gap() -> None:
    bare = {**FACTS, "slot": None, "help_phone": ""}
    sms = compose(Template.CODE_RELEASED, Channel.SMS, say=FR, facts=bare)
    assert sms.text == "Zoé bleue, Eurre : code 48213370, valable 21/11 17:45-20:15."
    mail = compose(Template.CODE_RELEASED, Channel.MAIL, say=FR, facts=bare)
    assert "\n\n\n" not in mail.text
    assert "aide" not in mail.text


def test_invoice_issued_credit_note_is_called_one() -> None:
    words = compose(Template.INVOICE_ISSUED, Channel.MAIL, say=EN, facts={**FACTS, "credit": True})
    assert words.subject == "Your credit note F2026-000042: €13.00"


# --- the code ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "template"), EVERY)
def test_C24_code_never_stands_in_a_subject(language: str, template: Template) -> None:
    words = compose(template, Channel.MAIL, say=SAYS[language], facts=FACTS)
    assert FACTS["code"] not in words.subject


@pytest.mark.parametrize(("language", "template"), EVERY)
def test_C24_sms_longest_names_fit_one_message_and_keep_the_code(language: str, template: Template) -> None:
    if Channel.SMS not in channels_of(template):
        return
    long = {
        **FACTS,
        "car": "Renault Zoé bleue du centre bourg n° 12 [€]",
        "place": "Saint-Julien-en-Saint-Alban, place de l'Hôtel-de-Ville",
        "help_phone": "+41791234567",
        "slot": 112,
        "valid_until": START + timedelta(hours=72, minutes=15),
        "end_at": START + timedelta(hours=72),
    }
    text = compose(template, Channel.SMS, say=SAYS[language], facts=long).text
    assert gsm7.length(text) <= 160
    assert gsm7.to_gsm7(text) == text
    assert template is not Template.CODE_RELEASED or "48213370" in text


def test_html_code_and_link_stand_out() -> None:
    html = compose(Template.CODE_RELEASED, Channel.MAIL, say=EN, facts=FACTS).html
    assert '<html lang="en">' in html
    assert 'letter-spacing:.08em">48213370</b>' in html
    assert f'<a href="{LINK}"' in html


# --- hostile names ----------------------------------------------------------------------------------

HOSTILE = "Eve\r\nBcc: all@example.org\r\n\r\nYour code: 1 <b>&\u202e\u2028"


@pytest.mark.parametrize(("language", "template"), EVERY)
def test_hostile_names_can_add_neither_header_nor_line(language: str, template: Template) -> None:
    names = dict.fromkeys(("name", "sender", "car", "plate", "place", "number"), HOSTILE)
    harmless = dict.fromkeys(names, "Eve")
    words = compose(template, Channel.MAIL, say=SAYS[language], facts={**FACTS, **names})
    plain = compose(template, Channel.MAIL, say=SAYS[language], facts={**FACTS, **harmless})
    assert words.text.count("\n") == plain.text.count("\n")
    assert not {"\r", "\n", "\u202e", "\u2028"} & set(words.subject)
    assert len(words.subject) <= MAX_SUBJECT
    letter = EmailMessage()
    letter["Subject"] = words.subject
    assert letter.keys() == ["Subject"]


def test_hostile_name_is_escaped_in_html_and_plain_in_text() -> None:
    words = compose(Template.BOOKING_MADE, Channel.MAIL, say=EN, facts={**FACTS, "name": "<script>&"})
    assert words.text.startswith("Hello <script>&,\n")
    assert "Hello &lt;script&gt;&amp;," in words.html
    assert "<script" not in words.html


def test_missing_fact_is_an_error_not_a_gap() -> None:
    facts = {name: value for name, value in FACTS.items() if name != "plate"}
    with pytest.raises(UndefinedError, match="plate"):
        compose(Template.BOOKING_MADE, Channel.MAIL, say=EN, facts=facts)


# --- translations -----------------------------------------------------------------------------------


def test_templates_every_one_exists_in_every_language() -> None:
    wanted = {f"{template}.txt" for template in Template} | {"_end.txt"}
    found = {language: {path.name for path in (FOLDER / language).iterdir()} for language in LANGUAGES}
    assert found == dict.fromkeys(LANGUAGES, wanted)


@pytest.mark.parametrize("template", Template)
def test_translations_have_the_same_blocks_and_facts(template: Template) -> None:
    assert _shape("fr", template) == _shape("en", template)


def _shape(language: str, template: Template) -> tuple[set[str], set[str]]:
    source = Path(FOLDER, language, f"{template}.txt").read_text(encoding="utf-8")
    blocks = set(environment().get_template(f"{language}/{template}.txt").blocks)
    return blocks, meta.find_undeclared_variables(environment().parse(source))


def test_say_speaks_every_language() -> None:
    for language in LANGUAGES:
        assert Say(language=language, zone=FR.zone).moment(START)
