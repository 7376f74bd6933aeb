"""Who is let in: the whole table of security profiles."""

from __future__ import annotations

import pytest

from supervision.csms.admission import (
    NO_PROOF,
    PLAIN,
    Channel,
    Claim,
    ClientCertificate,
    Denial,
    PasswordChange,
    Proof,
    Stored,
    admit,
    profile_reached,
)

PRINT = "ab" * 32
TLS = Channel(encrypted=True)


def showing(*names: str, organisations: tuple[str, ...] = ()) -> Channel:
    """TLS with a client certificate that was verified."""
    return Channel(
        encrypted=True,
        certificate=ClientCertificate(common_names=names, organisations=organisations, fingerprint=PRINT),
    )


OWN, OTHERS = showing("CP1"), showing("CP2")
USED = Proof(certificate=PRINT)


def stored(profile: int, *, password: bool = True, wanted: int | None = None) -> Stored:
    return Stored(identity="CP1", profile=profile, has_password=password, wanted_profile=wanted)


def claim(channel: Channel, password: bool = False, *, revoked: bool = False) -> Claim:
    return Claim(channel=channel, old_password=password, next_password=False, revoked=revoked)


CASES = [
    # what is registered, what is shown, what becomes of it
    ("unknown station", None, claim(PLAIN, False), Denial.CREDENTIALS),
    ("0 open", stored(0, password=False), claim(PLAIN), NO_PROOF),
    ("0 open over TLS", stored(0, password=False), claim(TLS), NO_PROOF),
    ("0 with a password wants it", stored(0), claim(PLAIN), Denial.CREDENTIALS),
    ("0 with its password", stored(0), claim(PLAIN, True), NO_PROOF),
    ("1 right password", stored(1), claim(PLAIN, True), NO_PROOF),
    ("1 wrong password", stored(1), claim(PLAIN), Denial.CREDENTIALS),
    ("1 without any stored password", stored(1, password=False), claim(PLAIN), Denial.CREDENTIALS),
    ("1 ahead of its order over TLS", stored(1), claim(TLS, True), NO_PROOF),
    ("1 with its certificate", stored(1), claim(OWN), USED),
    ("2 right password over TLS", stored(2), claim(TLS, True), NO_PROOF),
    ("2 wrong password over TLS", stored(2), claim(TLS), Denial.CREDENTIALS),
    ("2 right password in clear", stored(2), claim(PLAIN, True), Denial.BELOW_PROFILE),
    ("2 another's certificate, right password", stored(2), claim(OTHERS, True), NO_PROOF),
    ("3 own certificate", stored(3), claim(OWN), USED),
    ("3 no certificate", stored(3), claim(TLS), Denial.CERTIFICATE),
    ("3 password instead of certificate", stored(3), claim(TLS, True), Denial.BELOW_PROFILE),
    ("3 password in clear", stored(3), claim(PLAIN, True), Denial.BELOW_PROFILE),
    ("3 another's certificate", stored(3), claim(OTHERS), Denial.CERTIFICATE),
    ("3 identity inside a longer name", stored(3), claim(showing("CP10")), Denial.CERTIFICATE),
    ("3 other case", stored(3), claim(showing("cp1")), Denial.CERTIFICATE),
    ("3 two names", stored(3), claim(showing("CP1", "CP2")), Denial.CERTIFICATE),
    ("3 certificate taken back", stored(3), claim(OWN, revoked=True), Denial.CERTIFICATE),
]


@pytest.mark.parametrize(
    ("registered", "shown", "answer"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_admission(registered: Stored | None, shown: Claim, answer: Proof | Denial) -> None:
    assert admit(registered, shown, "") == answer


@pytest.mark.parametrize(
    ("registered", "shown", "reached"),
    [
        (stored(0, password=False), claim(PLAIN), 0),
        (stored(0), claim(PLAIN), None),
        (stored(0), claim(PLAIN, True), 1),
        (stored(0), claim(TLS, True), 2),
        (stored(0), claim(OWN), 3),
        (stored(1), claim(TLS), None),
    ],
)
def test_a_connection_reaches_the_highest_profile_that_it_shows(
    registered: Stored, shown: Claim, reached: int | None
) -> None:
    assert profile_reached(registered, shown, "") == reached


@pytest.mark.parametrize(
    ("organisations", "answer"),
    [
        (("Mairie",), USED),
        (("Other", "Mairie"), USED),
        (("Mairie annexe",), Denial.CERTIFICATE),
        ((), Denial.CERTIFICATE),
    ],
)
def test_a_configured_organisation_must_stand_in_the_certificate(
    organisations: tuple[str, ...], answer: Proof | Denial
) -> None:
    assert admit(stored(3), claim(showing("CP1", organisations=organisations)), "Mairie") == answer


@pytest.mark.parametrize(
    ("profile", "wanted", "channel", "password", "raised"),
    [
        (1, None, TLS, True, None),  # nobody ordered it
        (1, 2, PLAIN, True, None),  # not there yet: the old way stays open
        (1, 2, TLS, True, 2),
        (2, 3, TLS, True, None),
        (2, 3, OWN, False, 3),
        (1, 2, OWN, False, 2),  # ahead of the order: only what was ordered is held against it later
        (3, 2, OWN, False, None),  # never lowered
        (2, 2, TLS, True, None),  # it is there
    ],
)
def test_profile_rises_with_the_first_connection_in_the_new_way(
    profile: int, wanted: int | None, channel: Channel, password: bool, raised: int | None
) -> None:
    decision = admit(stored(profile, wanted=wanted), claim(channel, password), "")
    assert isinstance(decision, Proof)
    assert decision.profile == raised


@pytest.mark.parametrize(
    ("old", "new", "after_reboot", "answer"),
    [
        (True, False, False, Proof(password=PasswordChange.DROP)),
        (False, True, False, Proof(password=PasswordChange.TAKE)),
        (True, False, True, NO_PROOF),  # it will use the new one after its next start
        (False, True, True, Proof(password=PasswordChange.TAKE)),
        (False, False, False, Denial.CREDENTIALS),
    ],
)
def test_a_password_on_its_way_opens_beside_the_old_one_until_either_is_used(
    old: bool, new: bool, after_reboot: bool, answer: Proof | Denial
) -> None:
    waiting = Stored(
        identity="CP1", profile=1, has_password=True, has_next_password=True, next_after_reboot=after_reboot
    )
    shown = Claim(channel=PLAIN, old_password=old, next_password=new)
    assert admit(waiting, shown, "") == answer
