"""Whether the other end of a socket still lives, by its pongs and by all else that it says. Pure.

TCP loses nothing: a ping that stays unanswered while other frames come is no sign of death but of a station
that answers none (quirk 10). Such a one is only gone when it has missed some heartbeats too.
"""

from __future__ import annotations

from dataclasses import dataclass

PING_S = 30.0
HEARTBEATS = 3  # that a station without pongs may miss


@dataclass(slots=True)
class Vigil:
    """The watch over one socket, a round for each `ping_s`."""

    ping_s: float = PING_S
    heartbeat_s: float = 0.0  # how often the station was told to say something
    silent_rounds: int = 0
    answers_pings: bool = False

    def round(self, *, heard: bool, ponged: bool) -> bool:
        """Count a round in which something was heard, or not; tell whether the station is gone."""
        self.answers_pings = self.answers_pings or ponged
        self.silent_rounds = 0 if heard else self.silent_rounds + 1
        patience_s = self.ping_s if self.answers_pings else HEARTBEATS * self.heartbeat_s
        return self.silent_rounds * self.ping_s >= max(self.ping_s, patience_s)
