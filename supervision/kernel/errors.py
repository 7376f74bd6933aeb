"""Refusals are values; exceptions are bugs or a broken wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Refused:
    """A rule said no.

    ``code`` is stable and translated by the web layer; ``params`` fill the sentence and are safe to show.
    """

    code: str
    params: Mapping[str, object] = field(default_factory=dict)


class FieldError(ValueError):
    """Text or JSON from outside does not have the documented shape; ``path`` names the field."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message
