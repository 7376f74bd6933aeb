"""A password that is kept opens with the key of the installation, at its own place, and nowhere else."""

from __future__ import annotations

from supervision.csms.relay.sealing import Sealer

SECRET = "a-password-of-a-backend"


def test_sealed_password_opens_at_its_place_alone() -> None:
    sealer = Sealer(bytes(32))
    sealed = sealer.seal(SECRET, place="org|CP16")
    assert SECRET.encode() not in sealed
    assert sealer.open(sealed, place="org|CP16") == SECRET
    assert sealer.open(sealed, place="org|CP17") is None
    assert Sealer(bytes(31) + b"1").open(sealed, place="org|CP16") is None
    assert sealer.open(sealed[:-1], place="org|CP16") is None
    assert sealer.open(b"", place="org|CP16") is None


def test_one_password_is_sealed_differently_each_time() -> None:
    sealer = Sealer(bytes(32))
    assert sealer.seal(SECRET, place="a") != sealer.seal(SECRET, place="a")
