"""The outgoing messages of a station, in order. Pure.

What belongs to a charging transaction is kept until it is answered (or refused too often, OCPP 1.6 §3.7.1,
2.0.1 E13); everything else lives only as long as the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chargepoint_emulator.wire import JsonObject

OnResult = Callable[[JsonObject | None], None]


@dataclass(kw_only=True, eq=False)
class Message:
    """One CALL to make; ``tx_key`` names the charging transaction a durable message belongs to.

    ``early`` messages may go before the registration: the BootNotification, and what is asked for while
    Pending. ``on_result`` receives the answer, or None when there will never be one.
    """

    message_id: str
    action: str
    payload: JsonObject
    tx_key: str | None = None
    early: bool = False
    attempts: int = 0
    not_before_s: float = 0.0
    on_result: OnResult | None = None

    def finish(self, result: JsonObject | None) -> None:
        """Tell whoever waits for the answer."""
        if self.on_result:
            self.on_result(result)


class MessageQueue:
    """First in, first out, except that a message waiting for its retry lets unrelated ones pass."""

    def __init__(self) -> None:
        """Start empty."""
        self._messages: list[Message] = []

    def __len__(self) -> int:
        """Count what has not been answered yet."""
        return len(self._messages)

    def push(self, message: Message) -> None:
        """Add at the end."""
        self._messages.append(message)

    def push_front(self, message: Message) -> None:
        """Add before everything else."""
        self._messages.insert(0, message)

    def ready(self, now_s: float, *, registered: bool) -> Message | None:
        """Return the message to send now; before the registration only early ones go."""
        held = False
        for message in self._messages:
            if not registered and not message.early:
                continue
            durable = message.tx_key is not None
            if message.not_before_s <= now_s and not (durable and held):
                return message
            held = held or durable
        return None

    def retry_at_s(self) -> float | None:
        """Return when the earliest message that is being held back may be sent."""
        return min((m.not_before_s for m in self._messages if m.not_before_s > 0), default=None)

    def done(self, message: Message, result: JsonObject) -> None:
        """Take away an answered message."""
        self._take(message, result)

    def failed(self, message: Message, *, now_s: float, attempts: int, interval_s: float) -> bool:
        """Count a refusal or a missing answer; return whether the message was given up."""
        message.attempts += 1
        if message.tx_key is None or message.attempts >= attempts:
            self._take(message, None)
            return True
        message.not_before_s = now_s + interval_s * message.attempts
        return False

    def drop_volatile(self) -> None:
        """Forget, at the loss of the connection, what only made sense on it."""
        for message in [one for one in self._messages if one.tx_key is None]:
            self._take(message, None)

    def holds(self, tx_key: str | None = None) -> bool:
        """Tell whether transaction messages (of one transaction, or any) are waiting."""
        return any(m.tx_key is not None and tx_key in {None, m.tx_key} for m in self._messages)

    def waiting(self, action: str) -> bool:
        """Tell whether a message of this action is waiting."""
        return any(message.action == action for message in self._messages)

    def _take(self, message: Message, result: JsonObject | None) -> None:
        if message in self._messages:
            self._messages.remove(message)
            message.finish(result)
