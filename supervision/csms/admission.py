"""Who may connect: the security profile a connection reaches against the one its station has.

| Profile | reached by |
|---|---|
| 0 | a station without password, of profile 0 |
| 1 | the right password |
| 2 | the right password over TLS |
| 3 | over TLS, a certificate of our CA with exactly the identity as common name |

A station is let in when it reaches *at least* its profile, so that it may be ahead of its order to upgrade
and never falls back (security whitepaper A00.FR.001-005, 2.0.1 A05.FR.07). Pure: hashes were compared before.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

HIGHEST_PROFILE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """What a client certificate says whose chain TLS has verified. `fingerprint` is the SHA-256, in hex."""

    common_names: tuple[str, ...]
    organisations: tuple[str, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """How the connection is protected."""

    encrypted: bool
    certificate: ClientCertificate | None = None


PLAIN = Channel(encrypted=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a connection shows, held against what is stored."""

    channel: Channel
    old_password: bool  # matches
    next_password: bool  # matches the one that is on its way
    revoked: bool = False  # the certificate shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What is stored of a station. `next_after_reboot`: it took the password on its way for later."""

    identity: str
    profile: int
    has_password: bool
    wanted_profile: int | None = None
    has_next_password: bool = False
    next_after_reboot: bool = False


class Denial(StrEnum):
    """Why a station stays outside; for counters and logs alone, the answer is the same for all."""

    CREDENTIALS = "credentials"
    BELOW_PROFILE = "below-profile"
    CERTIFICATE = "certificate"


class PasswordChange(StrEnum):
    """What a connection proves about a password on its way."""

    TAKE = "take"  # the new one was used: it is the only one from now on
    DROP = "drop"  # the old one was used: the new one never arrived


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What an admitted connection changes in what is stored. `certificate` is the fingerprint it used."""

    password: PasswordChange | None = None
    profile: int | None = None
    certificate: str | None = None


NO_PROOF = Proof()


def admit(stored: Stored | None, claim: Claim, organisation: str) -> Proof | Denial:
    """Decide; `organisation` must stand in the certificate unless it is empty."""
    if stored is None:
        return Denial.CREDENTIALS
    reached = profile_reached(stored, claim, organisation)
    if reached is None:
        asks_certificate = stored.profile == HIGHEST_PROFILE or claim.channel.certificate is not None
        return Denial.CERTIFICATE if asks_certificate else Denial.CREDENTIALS
    if reached < stored.profile:
        return Denial.BELOW_PROFILE
    by_certificate = reached == HIGHEST_PROFILE and claim.channel.certificate is not None
    raised = stored.wanted_profile is not None and stored.profile < stored.wanted_profile <= reached
    return Proof(
        password=_password_change(stored, claim),
        profile=stored.wanted_profile if raised else None,
        certificate=claim.channel.certificate.fingerprint
        if by_certificate and claim.channel.certificate
        else None,
    )


def profile_reached(stored: Stored, claim: Claim, organisation: str) -> int | None:
    """Return the highest profile the connection reaches, None when it shows nothing that fits."""
    channel = claim.channel
    if channel.encrypted and not claim.revoked and fits(channel.certificate, stored.identity, organisation):
        return HIGHEST_PROFILE
    if claim.old_password or claim.next_password:
        return 2 if channel.encrypted else 1
    return 0 if stored.profile == 0 and not stored.has_password else None


def fits(certificate: ClientCertificate | None, identity: str, organisation: str) -> bool:
    """Tell whether a verified certificate is this station's: one common name, the very identity."""
    if certificate is None or certificate.common_names != (identity,):
        return False
    return not organisation or organisation in certificate.organisations


def _password_change(stored: Stored, claim: Claim) -> PasswordChange | None:
    if not stored.has_next_password:
        return None
    if claim.next_password:
        return PasswordChange.TAKE
    return PasswordChange.DROP if claim.old_password and not stored.next_after_reboot else None
