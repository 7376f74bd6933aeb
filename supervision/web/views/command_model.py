"""Commands to charging stations as pages show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What the station's answer means: codes for sentences, and the station's own words."""

    kind: str
    awaits: str = ""
    word: str = ""
    reason: str = ""
    items: tuple[tuple[str, str, str], ...] = ()  # what was not done of a list: subject, word, reason

    @property
    def is_good(self) -> bool:
        """Tell whether it is done, or accepted with its effect to come."""
        return self.kind in {"done", "pending"}


@dataclass(frozen=True, kw_only=True)
class CommandOutcome:
    """A command as it stands; `detail` is what was said, in a line."""

    action: str
    state: str
    detail: str
    at: datetime
    id: str = ""
    charging_station: str = ""
    meaning: Meaning | None = None
    late: bool = False
    tries: int = 0
    due_at: datetime | None = None

    @property
    def is_good(self) -> bool:
        """Tell whether nothing is wrong so far."""
        return self.state in {"queued", "sent"} if self.meaning is None else self.meaning.is_good

    @property
    def waits(self) -> bool:
        """Tell whether it can still be called off."""
        return self.state == "queued"


@dataclass(frozen=True, kw_only=True)
class BatchLine:
    """One command to many stations: `states` counts them."""

    id: str
    action: str
    at: datetime
    total: int
    states: tuple[tuple[str, int], ...]

    @property
    def waits(self) -> bool:
        """Tell whether some of it can still be called off."""
        return any(state == "queued" for state, _ in self.states)


@dataclass(frozen=True, kw_only=True)
class BatchView:
    """One batch with the command of each charging station."""

    line: BatchLine
    commands: tuple[CommandOutcome, ...]
    now: datetime


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One entry of a list to choose from."""

    value: str
    label: str


@dataclass(frozen=True, kw_only=True)
class BatchesView:
    """The newest batches, and the form for another one.

    `everywhere` are organisations, `places` car-sharing stations, `models` what was told at boot.
    """

    lines: tuple[BatchLine, ...]
    everywhere: tuple[Choice, ...]
    places: tuple[Choice, ...]
    models: tuple[Choice, ...]
    now: datetime
