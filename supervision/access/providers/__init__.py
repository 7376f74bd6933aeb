"""What stands at the kerb: key boxes and immobilisers, each behind a protocol."""

from __future__ import annotations


class DeviceUnreachableError(RuntimeError):
    """The device does not answer; trying again later may help."""
