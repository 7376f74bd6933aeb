"""A charge point without its wires: EVSEs, meter, profiles, timers and the queue, driven by uptime. Pure.

The shell (emulator.py) tells it the uptime, hands it frames and sends what is ready; a dialect (v16.py,
v201.py) turns what happens here into messages. Between two instants at which something can change (profile
edge, full car, sample, timer) the physics are closed-form, so the speed of the clock does not change the
result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from chargepoint_emulator.authorisation import ACCEPTED, IdToken, LocalAuthorisation, Verdict
from chargepoint_emulator.battery import VOLTAGE_V
from chargepoint_emulator.cars import Car
from chargepoint_emulator.clock import Calendar
from chargepoint_emulator.configuration import Configuration, station_settings
from chargepoint_emulator.evse import STATUS_16, Event, State, next_state
from chargepoint_emulator.faults import SILENCE, kind_of
from chargepoint_emulator.kinds import Kind
from chargepoint_emulator.metering import Meter
from chargepoint_emulator.personality import Personality
from chargepoint_emulator.profiles import (
    STATION,
    Limit,
    Period,
    Profile,
    Profiles,
    Purpose,
    Running,
    Unit,
    composite,
    edges,
    evse_limit,
    install,
    lowest,
    matches,
    overlaps,
    refusal,
    share_out,
    station_limit,
)
from chargepoint_emulator.queue import Message, MessageQueue
from chargepoint_emulator.wire import Answer, Frame, JsonObject, RpcError, Violation, optional

REJECTED = "Rejected"
_HORIZON = timedelta(days=8)


class Start(StrEnum):
    """What completed the conditions of a charging transaction."""

    BADGE = "badge"
    CABLE = "cable"
    REMOTE = "remote"


class Stop(StrEnum):
    """Why a charging transaction ended."""

    LOCAL = "local"
    REMOTE = "remote"
    UNPLUGGED = "unplugged"
    DEAUTHORISED = "deauthorised"
    HARD_RESET = "hard_reset"
    SOFT_RESET = "soft_reset"
    UNLOCK = "unlock"
    POWER_LOSS = "power_loss"
    FAULT = "fault"


class Sample(StrEnum):
    """Why the meter was read; the values are OCPP's reading contexts."""

    BEGIN = "Transaction.Begin"
    END = "Transaction.End"
    PERIODIC = "Sample.Periodic"
    CLOCK = "Sample.Clock"
    TRIGGER = "Trigger"


@dataclass(kw_only=True, eq=False)
class ChargingTransaction:
    """One delivery of energy; ``wire_id`` is what the central system calls it (1.6: unknown at first)."""

    key: str
    token: IdToken
    group: str | None
    started_at: datetime
    started_s: float
    meter_start_wh: float
    remote_start_id: int | None = None
    reservation_id: int | None = None
    wire_id: int | str | None = None
    seq_no: int = 0
    paused: bool = False  # was offered nothing at least once
    reported: str | None = None
    total_cost: float | None = None
    defaults: Profiles = ()  # the default profiles that stood at its start


@dataclass(kw_only=True, eq=False)
class Evse:
    """One place to charge at. Currents are amperes per phase, energy is the meter's register in Wh."""

    id: int
    kind: Kind
    state: State = State.AVAILABLE
    energy_wh: float = 0.0
    offered_a: float = 0.0
    limit_a: float = math.inf
    plugged: bool = False
    operative: bool = True
    car: Car | None = None
    token: IdToken | None = None
    group: str | None = None
    remote: bool = False
    remote_start_id: int | None = None
    pending_profile: Profile | None = None
    transaction: ChargingTransaction | None = None
    reservation_id: int | None = None
    used_reservation_id: int | None = None
    reserved_for: IdToken | None = None
    reserved_group: str | None = None
    error_code: str = "NoError"
    reported: str | None = None

    @property
    def status(self) -> str:
        """The state in the words of OCPP 1.6 ("Charging", "SuspendedEV", ...), whatever the version."""
        return STATUS_16[self.state]

    @property
    def current_a(self) -> float:
        """Measured current per phase."""
        if self.car is None or self.transaction is None:
            return 0.0
        return self.car.behind(self.kind).draw_a(self.offered_a)

    @property
    def phases_used(self) -> int:
        """Phases the car draws from; all of the socket's when there is no car."""
        return self.car.behind(self.kind).phases_used(self.kind.phases) if self.car else self.kind.phases

    @property
    def power_w(self) -> float:
        """Measured power."""
        return self.current_a * VOLTAGE_V * self.phases_used

    @property
    def charging_transaction_id(self) -> int | str | None:
        """Id the central system knows the running charging transaction by, if it does already."""
        return self.transaction.wire_id if self.transaction else None

    @property
    def meter(self) -> Meter:
        """What the meter says now."""
        return Meter(
            register_wh=self.energy_wh,
            current_a=self.current_a,
            phases_used=self.phases_used,
            phases=self.kind.phases,
            offered_a=self.offered_a,
            soc=self.car.soc if self.car and self.kind.dc else None,
        )

    def flow_event(self) -> Event:
        """Tell what the energy does, given the present offer."""
        if self.offered_a <= 0:
            return Event.EVSE_STOPS
        return Event.ENERGY_FLOWS if self.current_a > 0 else Event.EV_STOPS


class Dialect(Protocol):
    """How one protocol version words what happens at a station."""

    subprotocol: str
    status_words: Mapping[State, str]
    one_profile_per_slot: bool

    def boot(self, station: Station, reason: str) -> tuple[str, JsonObject]: ...
    def heartbeat(self, station: Station) -> tuple[str, JsonObject]: ...
    def status(self, station: Station, evse: Evse) -> tuple[str, JsonObject]: ...
    def station_status(self, station: Station) -> list[tuple[str, JsonObject]]: ...
    def authorise(self, station: Station, token: IdToken) -> tuple[str, JsonObject]: ...
    def verdict(self, result: JsonObject) -> Verdict: ...
    def started(self, station: Station, evse: Evse, start: Start) -> None: ...
    def flowing(self, station: Station, evse: Evse) -> None: ...
    def sampled(self, station: Station, evse: Evse, sample: Sample) -> None: ...
    def ended(self, station: Station, evse: Evse, stop: Stop, token: IdToken | None) -> None: ...
    def reservation_over(self, station: Station, reservation_id: int) -> None: ...
    def complete(self, station: Station, message: Message) -> JsonObject: ...
    def handlers(self) -> Mapping[str, Callable[[Station, JsonObject], Answer]]: ...


@dataclass(frozen=True, kw_only=True)
class Reported:
    """Something worth telling whoever watches the emulator."""

    name: str
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)


class Station:
    """The whole charge point; every public method expects :meth:`advance` to have been called."""

    def __init__(
        self,
        *,
        identity: str,
        dialect: Dialect,
        kind: Kind,
        evses: int,
        personality: Personality,
        calendar: Calendar,
        new_id: Callable[[], str],
        meter_interval_s: int = 60,
        register_wh: float = 0.0,
        report: Callable[[Reported], None] | None = None,
    ) -> None:
        """Make a station that has just been powered up."""
        self.identity = identity
        self.dialect = dialect
        self.kind = kind
        self.personality = personality
        self.calendar = calendar
        self.new_id = new_id
        self._meter_interval_s = meter_interval_s
        self.configuration = self._new_settings(evses)
        self.evses = {n: Evse(id=n, kind=kind, energy_wh=register_wh) for n in range(1, evses + 1)}
        self.profiles: Profiles = ()
        self.local = LocalAuthorisation()
        self.queue = MessageQueue()
        self.wire_ids: dict[str, int | str] = {}
        self.uptime_s = 0.0
        self.link_up = False
        self.registered = False
        self.pending = False
        self.reboot_reason: str | None = None
        self.secret = b""
        self.reconnect_wanted = False
        self.firmware = "1.0.0"
        self._booted = False
        self._boot_reason = "PowerUp"
        self._timers: dict[str, tuple[float, Callable[[], None]]] = {}
        self._change_s = math.inf
        self._profile_writes = 0
        self._report = report

    def _new_settings(self, evses: int) -> Configuration:
        return station_settings(
            kind=self.kind,
            evses=evses,
            capabilities=self.personality.capabilities,
            meter_interval_s=self._meter_interval_s,
        )

    # -- time ---------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The hour on the station's calendar."""
        return self.calendar.at(self.uptime_s)

    @property
    def online(self) -> bool:
        """Whether what happens now can be told at once."""
        return self.link_up and self.registered

    def advance(self, uptime_s: float) -> None:
        """Live until an uptime, stopping at every instant at which something changes."""
        while self.uptime_s < uptime_s:
            stop_s = min(uptime_s, max(self.uptime_s, self.next_event_s()))
            self._integrate(stop_s - self.uptime_s)
            self.uptime_s = stop_s
            if self._change_s <= stop_s:
                self.settle()
            self._run_timers()

    def next_event_s(self) -> float:
        """Return the uptime of the next thing that happens by itself."""
        timer_s = min((at_s for at_s, _ in self._timers.values()), default=math.inf)
        return min(timer_s, self._change_s)

    def after(self, seconds: float, name: str, action: Callable[[], None]) -> None:
        """Do something later; a timer of the same name is replaced."""
        self._timers[name] = (self.uptime_s + seconds, action)

    def set_time(self, server_time: datetime, *, uptime_s: float) -> None:
        """Follow the central system's clock, read at an uptime."""
        if self.calendar.set(server_time=server_time, uptime_s=uptime_s):
            self._arm_aligned()
            self.settle()

    def _integrate(self, seconds: float) -> None:
        for evse in self.evses.values():
            if evse.car and evse.transaction and evse.offered_a > 0:
                evse.energy_wh += evse.car.take(kind=self.kind, offered_a=evse.offered_a, seconds=seconds)

    def _run_timers(self) -> None:
        due = sorted((at_s, name) for name, (at_s, _) in self._timers.items() if at_s <= self.uptime_s)
        for _, name in due:
            timer = self._timers.pop(name, None)
            if timer:
                timer[1]()

    # -- offers and states --------------------------------------------------------------------------------

    def settle(self) -> None:
        """Recompute what is offered, let states follow, and find the next instant of change."""
        self._offer()
        for evse in self.evses.values():
            if evse.transaction:
                self._fire(evse, evse.flow_event())
                self.dialect.flowing(self, evse)
                self._end_if_it_bears_no_pause(evse)
            self._tell_status(evse)
        self._change_s = min(self._next_edge_s(), self._next_full_s())

    def _end_if_it_bears_no_pause(self, evse: Evse) -> None:
        if self.personality.ends_when_paused and evse.state is State.SUSPENDED_EVSE:
            self.after(1, f"pause-{evse.id}", lambda: self.stop(evse, Stop.LOCAL))

    def _offer(self) -> None:
        charging = sorted(
            (evse for evse in self.evses.values() if evse.transaction),
            key=lambda evse: (evse.transaction.started_s if evse.transaction else 0, evse.id),
        )
        wanted = {evse.id: self._own_limit_a(evse) for evse in charging}
        offers = share_out(cap_a=self._cap_a(), wanted_a=wanted, min_a=self.kind.min_a)
        for evse in self.evses.values():
            evse.limit_a = wanted.get(evse.id, 0.0)
            evse.offered_a = offers.get(evse.id, 0.0)

    def _own_limit_a(self, evse: Evse) -> float:
        if not self.personality.obeys_profiles or self._is_free(evse):
            return self.kind.max_a
        limit_a = min(self.kind.max_a, self._evse_limit(evse, self.now, self._running(evse)).amps)
        return self._after_pause_a(evse.transaction, limit_a)

    def _is_free(self, evse: Evse) -> bool:
        """Whether this station does not yet look at its profiles (a fault)."""
        if evse.transaction is None or not self.personality.free_s:
            return False
        return self.uptime_s < evse.transaction.started_s + self.personality.free_s

    def _after_pause_a(self, transaction: ChargingTransaction | None, limit_a: float) -> float:
        """What is left of a limit once there was a pause, at a station that does not bear pauses."""
        if transaction is None:
            return limit_a
        if limit_a < self.kind.min_a:
            transaction.paused = True
        elif transaction.paused and not self.personality.wakes:
            return 0.0
        if transaction.paused and not self.personality.limits_after_pause and limit_a > 0:
            return self.kind.max_a
        return limit_a

    def _cap_a(self) -> float:
        if not self.personality.obeys_profiles:
            return math.inf
        return station_limit(self.profiles, phases=self.kind.phases, at=self.now).amps

    def _evse_limit(self, evse: Evse, at: datetime, running: Running | None) -> Limit:
        profiles = self._profiles_for(evse.transaction)
        return evse_limit(profiles, evse_id=evse.id, phases=self.kind.phases, at=at, running=running)

    def _profiles_for(self, transaction: ChargingTransaction | None) -> Profiles:
        """What counts for a charge: at a faulty station the default profiles that stood at its start."""
        if transaction is None or self.personality.default_acts_at_once:
            return self.profiles
        others = tuple(one for one in self.profiles if one.purpose is not Purpose.TX_DEFAULT)
        return others + transaction.defaults

    def _running(self, evse: Evse) -> Running | None:
        if evse.transaction is None:
            return None
        # From the uptime, so that a correction of the clock does not shift a relative schedule.
        started_at = self.calendar.at(evse.transaction.started_s)
        return Running(tx_key=evse.transaction.key, started_at=started_at)

    def _edges(self, *, until: datetime) -> list[datetime]:
        running = {r.tx_key: r for evse in self.evses.values() if (r := self._running(evse))}
        return edges(self.profiles, after=self.now, until=until, running=running, fresh_at=self.now)

    def _next_edge_s(self) -> float:
        upcoming = self._edges(until=self.now + _HORIZON)
        return max(self.uptime_s, self.calendar.uptime_of(upcoming[0])) if upcoming else math.inf

    def _next_full_s(self) -> float:
        left = (
            evse.car.behind(self.kind).seconds_until_full(offered_a=evse.offered_a, phases=self.kind.phases)
            for evse in self.evses.values()
            if evse.car and evse.transaction
        )
        return self.uptime_s + min(left, default=math.inf)

    def _fire(self, evse: Evse, event: Event) -> bool:
        state = next_state(evse.state, event)
        if state is None:
            return False
        if state is not evse.state:
            evse.state = state
            self.report("state", evse=evse.id, state=state.value)
        return True

    def _tell_status(self, evse: Evse) -> None:
        word = self.dialect.status_words[evse.state]
        if word != evse.reported and self.online:
            evse.reported = word
            action, payload = self.dialect.status(self, evse)
            if self.personality.flaps and "status" in payload:
                for phantom in ("SuspendedEV", "Available"):
                    self.send(action, {**payload, "status": phantom})
            self.send(action, payload)

    # -- what a driver does -------------------------------------------------------------------------------

    def plug(self, evse_id: int, car: Car) -> bool:
        """Put the cable of a car in; False when one is there already."""
        evse = self.evses[evse_id]
        if evse.plugged:
            return False
        evse.plugged, evse.car = True, car
        self.report("plugged", evse=evse_id, car=car.model.name, soc=round(car.soc, 1))
        self._fire(evse, Event.PLUG)
        self._begin_if_ready(evse, Start.CABLE)
        self.settle()
        return True

    def unplug(self, evse_id: int) -> Car | None:
        """Take the cable out; return the car."""
        evse = self.evses[evse_id]
        car = evse.car
        if evse.transaction:
            self._end(evse, Stop.UNPLUGGED, None)
        evse.plugged, evse.car = False, None
        if evse.state is not State.AVAILABLE:
            self._fire(evse, Event.UNPLUG)
        self.report("unplugged", evse=evse_id, soc=round(car.soc, 1) if car else None)
        if evse.reserved_for:
            self._fire(evse, Event.RESERVE)
        self._apply_availability(evse)
        self.settle()
        return car

    def present(self, evse_id: int, token: IdToken, done: Callable[[str], None]) -> None:
        """Show a token at an EVSE: starts, or stops what this token (or its group) started.

        ``done`` receives the status given to the token ("Accepted", "Invalid", ...).
        """
        evse = self.evses[evse_id]
        if evse.transaction and evse.transaction.token.key == token.key:
            self.stop(evse, Stop.LOCAL, token)
            done(ACCEPTED)
            return
        self._authorise(token, lambda verdict: done(self._presented(evse, token, verdict)))

    def _presented(self, evse: Evse, token: IdToken, verdict: Verdict) -> str:
        self.report("token", evse=evse.id, status=verdict.status)
        running = evse.transaction
        if running:
            if verdict.status == ACCEPTED and verdict.group and verdict.group == running.group:
                self.stop(evse, Stop.LOCAL, token)
                return ACCEPTED
            return verdict.status if verdict.status != ACCEPTED else REJECTED
        if verdict.status == ACCEPTED and not self._admit(evse, token, verdict.group, Start.BADGE):
            return REJECTED
        return verdict.status

    def _authorise(self, token: IdToken, decide: Callable[[Verdict], None]) -> None:
        known = self._known(token)
        if self.online and not (self.configuration.flag("pre_authorise") and self._good(known)):
            self.send(
                *self.dialect.authorise(self, token),
                on_result=lambda result: decide(self._answered_verdict(token, result)),
            )
            return
        decide(self._offline_verdict(known))

    def _known(self, token: IdToken) -> Verdict | None:
        return self.local.verdict(
            token,
            in_list=self.configuration.flag("list"),
            in_cache=self.configuration.flag("cache"),
        )

    def _good(self, verdict: Verdict | None) -> bool:
        return verdict is not None and verdict.accepted_at(self.now)

    def _answered_verdict(self, token: IdToken, result: JsonObject | None) -> Verdict:
        if result is None:
            return self._offline_verdict(self._known(token))
        verdict = self.dialect.verdict(result)
        if self.configuration.flag("cache"):
            self.local.remember(token, verdict)
        return verdict

    def _offline_verdict(self, known: Verdict | None) -> Verdict:
        if self.configuration.flag("offline_known") and known is not None:
            return known if known.status != ACCEPTED or self._good(known) else Verdict(status="Expired")
        if known is None and self.configuration.flag("offline_unknown"):
            return Verdict(status=ACCEPTED)
        return Verdict(status="Invalid")

    def _admit(
        self,
        evse: Evse,
        token: IdToken,
        group: str | None,
        start: Start,
        *,
        remote_start_id: int | None = None,
        profile: Profile | None = None,
    ) -> bool:
        """Let a token charge here; the transaction begins when the cable is in too."""
        if self._kept_for_another(evse, token, group) or not self._fire(evse, Event.AUTHORISE):
            return False
        evse.token, evse.group = token, group
        evse.remote_start_id, evse.pending_profile = remote_start_id, profile
        evse.remote = start is Start.REMOTE
        evse.used_reservation_id = evse.reservation_id
        self._release(evse)
        if evse.state is State.AUTHORISED:
            self.after(
                self.configuration.number("connect_s"),
                f"connect-{evse.id}",
                lambda: self._give_up_waiting(evse),
            )
        self._begin_if_ready(evse, start)
        self.settle()
        return True

    def _kept_for_another(self, evse: Evse, token: IdToken, group: str | None) -> bool:
        holder = evse.reserved_for
        if holder is None or holder.key == token.key:
            return False
        return group is None or group != evse.reserved_group

    def _give_up_waiting(self, evse: Evse) -> None:
        if evse.state is State.AUTHORISED:
            self._fire(evse, Event.TIMEOUT)
            evse.token = evse.pending_profile = None
            self.report("no_cable", evse=evse.id)
            self.settle()

    # -- charging transactions ----------------------------------------------------------------------------

    def _begin_if_ready(self, evse: Evse, start: Start) -> None:
        if evse.state is not State.READY or evse.transaction or evse.token is None:
            return
        self._tell_status(evse)
        if evse.remote:
            start = Start.REMOTE
        if self.personality.register_per_session:
            evse.energy_wh = 0.0
        transaction = ChargingTransaction(
            key=self.new_id(),
            token=evse.token,
            group=evse.group,
            started_at=self.now,
            started_s=self.uptime_s,
            meter_start_wh=evse.energy_wh,
            remote_start_id=evse.remote_start_id,
            reservation_id=evse.used_reservation_id,
            defaults=self.matching_profiles(purpose=Purpose.TX_DEFAULT),
        )
        evse.transaction = transaction
        if evse.pending_profile:
            self._install_for(transaction, evse.pending_profile)
        self._timers.pop(f"connect-{evse.id}", None)
        if self.personality.free_s:
            self.after(self.personality.free_s, f"free-{evse.id}", self.settle)
        self.report("started", evse=evse.id, register_wh=round(evse.energy_wh))
        self.dialect.started(self, evse, start)
        self._arm_sample(evse)

    def _install_for(self, transaction: ChargingTransaction, profile: Profile) -> None:
        self.profiles = self._with(replace(profile, tx_key=transaction.key))

    def stop(self, evse: Evse, stop: Stop, token: IdToken | None = None) -> None:
        """End the charging transaction of an EVSE whose cable stays in."""
        if evse.transaction:
            self._end(evse, stop, token)
            self._fire(evse, Event.END)
            self._apply_availability(evse)
            self.settle()

    def _end(self, evse: Evse, stop: Stop, token: IdToken | None) -> None:
        transaction = evse.transaction
        if transaction is None:
            return
        self._timers.pop(f"sample-{evse.id}", None)
        self.dialect.ended(self, evse, stop, token)
        self.profiles = tuple(one for one in self.profiles if one.tx_key != transaction.key)
        evse.transaction = evse.token = evse.remote_start_id = evse.pending_profile = None
        self.report(
            "ended",
            evse=evse.id,
            reason=stop.value,
            energy_wh=round(evse.energy_wh) - round(transaction.meter_start_wh),
        )

    def judged(self, evse: Evse, transaction: ChargingTransaction, verdict: Verdict) -> None:
        """Take the central system's word on the token of a transaction that has begun."""
        if self.configuration.flag("cache"):
            self.local.remember(transaction.token, verdict)
        transaction.group = verdict.group or transaction.group
        refused = verdict.status != ACCEPTED and self.configuration.flag("stop_on_invalid")
        if refused and evse.transaction is transaction:
            self.stop(evse, Stop.DEAUTHORISED)

    def forget(self, transaction: ChargingTransaction) -> None:
        """Drop what was kept to word the messages of a transaction that is told to its end."""
        if not self.queue.holds(transaction.key):
            self.wire_ids.pop(transaction.key, None)

    def change_secret(self, secret: bytes) -> None:
        """Take a new password for Basic authentication and reconnect with it."""
        self.secret = secret
        self.reconnect_wanted = True

    def running_transaction(self, wire_id: int | str) -> Evse | None:
        """Find the EVSE on which a charging transaction runs."""
        return next((e for e in self.evses.values() if e.charging_transaction_id == wire_id), None)

    # -- meter --------------------------------------------------------------------------------------------

    def rearm_sampling(self) -> None:
        """Start the sampling intervals anew, after a change of the configuration."""
        for evse in self.evses.values():
            self._timers.pop(f"sample-{evse.id}", None)
            if evse.transaction:
                self._arm_sample(evse)
        self._arm_aligned()
        self._arm_heartbeat()

    def _arm_sample(self, evse: Evse) -> None:
        interval_s = self.configuration.number("sample_s")
        if interval_s > 0 and self.personality.reports_meter:
            self.after(interval_s, f"sample-{evse.id}", lambda: self._sample(evse))

    def _sample(self, evse: Evse) -> None:
        if evse.transaction:
            self._arm_sample(evse)
            self.dialect.sampled(self, evse, Sample.PERIODIC)
            self.report(
                "meter",
                evse=evse.id,
                power_w=round(evse.power_w),
                register_wh=round(evse.energy_wh),
                offered_a=round(evse.offered_a, 1),
                soc=round(evse.car.soc, 1) if evse.car else None,
            )

    def _arm_aligned(self) -> None:
        self._timers.pop("aligned", None)
        interval_s = self.configuration.number("aligned_s")
        if interval_s > 0 and self.personality.reports_meter:
            midnight = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
            passed_s = (self.now - midnight).total_seconds()
            self.after(interval_s - passed_s % interval_s, "aligned", self._sample_aligned)

    def _sample_aligned(self) -> None:
        self._arm_aligned()
        for evse in self.evses.values():
            self.dialect.sampled(self, evse, Sample.CLOCK)

    # -- commands of the central system -------------------------------------------------------------------

    def remote_start(
        self,
        evse_id: int | None,
        token: IdToken,
        *,
        group: str | None = None,
        remote_start_id: int | None = None,
        profile: Profile | None = None,
    ) -> Callable[[], None] | None:
        """Start on demand; None when refused, else what to do once the demand has been answered."""
        evse = self._place_for(evse_id, token, group)
        if evse is None or (profile and self._unfit_for_start(profile)):
            return None

        def admit(verdict: Verdict) -> None:
            if verdict.status == ACCEPTED:
                self._admit(
                    evse,
                    token,
                    verdict.group,
                    Start.REMOTE,
                    remote_start_id=remote_start_id,
                    profile=profile and _on(profile, evse),
                )

        if self.configuration.flag("authorise_remote"):
            return lambda: self._authorise(token, admit)
        return lambda: admit(Verdict(status=ACCEPTED, group=group))

    def _unfit_for_start(self, profile: Profile) -> bool:
        fault = refusal(profile, self.personality.capabilities)
        return profile.purpose is not Purpose.TX or fault is not None

    def _place_for(self, evse_id: int | None, token: IdToken, group: str | None) -> Evse | None:
        asked = [self.evses[evse_id]] if evse_id in self.evses else []
        places = asked if evse_id is not None else sorted(self.evses.values(), key=lambda e: not e.plugged)
        return next((evse for evse in places if self._can_take(evse, token, group)), None)

    def _can_take(self, evse: Evse, token: IdToken, group: str | None) -> bool:
        return next_state(evse.state, Event.AUTHORISE) is not None and not self._kept_for_another(
            evse, token, group
        )

    def change_availability(self, evse_id: int, *, operative: bool) -> str:
        """Put an EVSE, or all (0), in or out of service; "Scheduled" when a transaction must end first."""
        if evse_id != STATION and evse_id not in self.evses:
            return REJECTED
        touched = list(self.evses.values()) if evse_id == STATION else [self.evses[evse_id]]
        for evse in touched:
            evse.operative = operative
        busy = not operative and any(evse.transaction for evse in touched)
        return "Scheduled" if busy else ACCEPTED

    def apply_availability(self) -> None:
        """Let the states follow a change of availability."""
        for evse in self.evses.values():
            self._apply_availability(evse)
        for action, payload in self.dialect.station_status(self):
            self.send(action, payload)
        self.settle()

    def _apply_availability(self, evse: Evse) -> None:
        if evse.transaction:
            return
        if not evse.operative:
            self._fire(evse, Event.DISABLE)
        elif evse.state is State.UNAVAILABLE:
            self._fire(evse, Event.RESTORE_PLUGGED if evse.plugged else Event.RESTORE)

    def fault(self, evse_id: int, error_code: str = "OtherError") -> None:
        """Break an EVSE; a running transaction ends."""
        evse = self.evses[evse_id]
        evse.error_code = error_code
        if evse.transaction:
            self._end(evse, Stop.FAULT, None)
        self._fire(evse, Event.FAULT)
        self.settle()

    def repair(self, evse_id: int) -> None:
        """Mend an EVSE."""
        evse = self.evses[evse_id]
        evse.error_code = "NoError"
        if evse.state is State.FAULTED:
            self._fire(evse, Event.RESTORE_PLUGGED if evse.plugged else Event.RESTORE)
            self._apply_availability(evse)
        self.settle()

    def reserve(
        self, evse_id: int, *, reservation_id: int, token: IdToken, group: str | None, until: datetime
    ) -> str:
        """Keep an EVSE (0: any) for a token until an hour; answers with the status of ReserveNow."""
        places = list(self.evses.values()) if evse_id == STATION else [self.evses.get(evse_id)]
        known = [evse for evse in places if evse is not None]
        if not known or until <= self.now:
            return REJECTED
        same = next((evse for evse in known if evse.reservation_id == reservation_id), None)
        free = same or next((evse for evse in known if evse.state is State.AVAILABLE), None)
        if free is None:
            return _RESERVE_REFUSALS.get(known[0].state, "Occupied")
        self._fire(free, Event.RESERVE)
        free.reservation_id, free.reserved_for, free.reserved_group = reservation_id, token, group
        left_s = (until - self.now).total_seconds()
        self.after(left_s, f"reservation-{free.id}", lambda: self._expire_reservation(reservation_id))
        self.settle()
        return ACCEPTED

    def cancel_reservation(self, reservation_id: int) -> bool:
        """Give a kept EVSE back."""
        evse = next((e for e in self.evses.values() if e.reservation_id == reservation_id), None)
        if evse is None:
            return False
        self._release(evse)
        self._fire(evse, Event.RELEASE)
        self.settle()
        return True

    def _expire_reservation(self, reservation_id: int) -> None:
        if self.cancel_reservation(reservation_id):
            self.dialect.reservation_over(self, reservation_id)

    def _release(self, evse: Evse) -> None:
        self._timers.pop(f"reservation-{evse.id}", None)
        evse.reservation_id = evse.reserved_for = evse.reserved_group = None

    def reset(self, *, hard: bool, evse_id: int | None = None) -> None:
        """End what runs and reboot (or only renew one EVSE)."""
        for evse in self.evses.values():
            if evse_id in {None, evse.id}:
                self.stop(evse, Stop.HARD_RESET if hard else Stop.SOFT_RESET)
        if evse_id is None:
            self.reboot_reason = "RemoteReset"

    def reset_when_idle(self) -> None:
        """Reboot once no transaction runs any more (2.0.1 OnIdle)."""
        if any(evse.transaction for evse in self.evses.values()):
            self.after(10, "reset", self.reset_when_idle)
        else:
            self.reset(hard=False)

    # -- charging profiles --------------------------------------------------------------------------------

    def install_profile(self, profile: Profile) -> str | None:
        """Install a charging profile; return the reason of a refusal, or None."""
        reason = refusal(profile, self.personality.capabilities) or self._misplaced(profile)
        if reason is None and self._profile_writes == self.personality.profile_writes:
            return "WornOut"
        if reason is None:
            self._profile_writes += 1
            self.profiles = self._with(profile)
            self.report("profile", evse=profile.evse_id, profile=profile.profile_id)
            self.settle()
        return reason

    def _misplaced(self, profile: Profile) -> str | None:
        if profile.evse_id != STATION and profile.evse_id not in self.evses:
            return "UnknownEvse"
        if profile.purpose is Purpose.TX:
            transaction = self.evses[profile.evse_id].transaction
            if transaction is None or transaction.key != profile.tx_key:
                return "TxNotFound"
        if not self.dialect.one_profile_per_slot and any(overlaps(profile, old) for old in self.profiles):
            return "DuplicateProfile"
        if len(self._with(profile)) > self.personality.capabilities.max_installed:
            return "TooManyProfiles"
        return None

    def _with(self, profile: Profile) -> Profiles:
        return install(self.profiles, profile, by_slot=self.dialect.one_profile_per_slot)

    def clear_profiles(
        self,
        *,
        profile_ids: Iterable[int] | None = None,
        evse_id: int | None = None,
        purpose: Purpose | None = None,
        stack_level: int | None = None,
    ) -> bool:
        """Remove the profiles that match every criterion given; False when there is none."""
        gone = self.matching_profiles(
            profile_ids=profile_ids, evse_id=evse_id, purpose=purpose, stack_level=stack_level
        )
        if self.personality.clear_delay_s:
            self.after(self.personality.clear_delay_s, "clear", lambda: self._forget_profiles(gone))
        else:
            self._forget_profiles(gone)
        return bool(gone)

    def _forget_profiles(self, gone: Profiles) -> None:
        self.profiles = tuple(one for one in self.profiles if one not in gone)
        self.settle()

    def matching_profiles(
        self,
        *,
        profile_ids: Iterable[int] | None = None,
        evse_id: int | None = None,
        purpose: Purpose | None = None,
        stack_level: int | None = None,
    ) -> Profiles:
        """Return the installed profiles that match every criterion given."""
        return tuple(
            one
            for one in self.profiles
            if matches(
                one, profile_ids=profile_ids, evse_id=evse_id, purpose=purpose, stack_level=stack_level
            )
        )

    def composite(self, evse_id: int, *, duration_s: int, unit: Unit) -> tuple[Period, ...]:
        """Return the limit of an EVSE, or of the station (0), as a schedule from now on."""
        until = self.now + timedelta(seconds=duration_s)
        limit_at = self._station_limit_at if evse_id == STATION else self._evse_limit_at(self.evses[evse_id])
        return composite(
            limit_at,
            start=self.now,
            duration_s=duration_s,
            edges_at=self._edges(until=until),
            unit=unit,
        )

    def _evse_limit_at(self, evse: Evse) -> Callable[[datetime], Limit]:
        running = self._running(evse)
        fresh = running or Running(tx_key="", started_at=self.now)

        def limit_at(at: datetime) -> Limit:
            if running is None and not self.personality.default_in_idle_composite:
                return lowest(self._hardware(), self._cap_at(at))
            own = self._evse_limit(evse, at, fresh)
            return lowest(own, self._hardware(), self._cap_at(at))

        return limit_at

    def _station_limit_at(self, at: datetime) -> Limit:
        own = [self._evse_limit_at(evse)(at) for evse in self.evses.values()]
        total = Limit(amps=sum(one.amps for one in own), phases=min(one.phases for one in own))
        return lowest(total, self._cap_at(at))

    def _cap_at(self, at: datetime) -> Limit:
        return station_limit(self.profiles, phases=self.kind.phases, at=at)

    def _hardware(self) -> Limit:
        return Limit(amps=self.kind.max_a, phases=self.kind.phases)

    # -- connection ---------------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Whether nothing charges and nothing waits to be sent."""
        return not self.queue and not any(evse.transaction for evse in self.evses.values())

    def speak(self, dialect: Dialect) -> None:
        """Speak another version of OCPP from the next connection on, and boot in it."""
        self.dialect = dialect
        self._booted = self.registered = False

    def connected(self) -> None:
        """Take note of an open connection."""
        self.link_up = True
        self.report("connected")
        if not self.personality.boots:
            self._booted = self.registered = True
        if not self._booted or self.personality.boots_on_reconnect:
            self.registered = False
            self.boot(self._boot_reason)
        elif self.registered and self.personality.greets_on_reconnect:
            self._greet()
        self.settle()

    def disconnected(self) -> None:
        """Take note of the loss of the connection."""
        self.reconnect_wanted = False
        if self.link_up:
            self.link_up = False
            self.report("disconnected")
        if not self.personality.keeps_profiles_offline:
            self._forget_profiles(self.profiles)
        self.queue.drop_volatile()

    def boot(self, reason: str) -> None:
        """Send a BootNotification before everything else."""
        action, payload = self.dialect.boot(self, reason)
        self.queue.push_front(
            Message(
                message_id=self.new_id(),
                action=action,
                payload=payload,
                early=True,
                on_result=self._boot_answered,
            )
        )

    def _boot_answered(self, result: JsonObject | None) -> None:
        if not self.link_up:
            return
        answer = result or {}
        status = optional(answer, "status", str)
        interval_s = optional(answer, "interval", int) or 0
        self.pending = status == "Pending"
        if status == ACCEPTED:
            self._accept(interval_s)
            return
        self.registered = False
        self.report("boot", status=status or "none")
        self.after(interval_s or 60, "boot", self._boot_again)

    def _boot_again(self) -> None:
        if self.link_up and not self.registered and not self.queue.waiting("BootNotification"):
            self.boot(self._boot_reason)

    def _accept(self, interval_s: int) -> None:
        self._timers.pop("boot", None)
        self._booted = self.registered = True
        self._boot_reason = "PowerUp"
        if interval_s > 0:
            self.configuration.set("heartbeat_s", str(interval_s))
        self.report("boot", status=ACCEPTED)
        self._greet(heartbeat=False)
        self._arm_heartbeat()
        self._arm_aligned()

    def _greet(self, *, heartbeat: bool = True) -> None:
        """Tell the present states ahead of what was queued, as they are true now."""
        greeting = [*self.dialect.station_status(self)]
        greeting += [self.dialect.status(self, evse) for evse in self.evses.values()]
        for evse in self.evses.values():
            evse.reported = self.dialect.status_words[evse.state]
        if heartbeat:
            greeting.insert(0, self.dialect.heartbeat(self))
        told = [one for one in greeting if self.personality.copies.get(one[0], 1)]
        for action, payload in reversed(told):
            self.queue.push_front(Message(message_id=self.new_id(), action=action, payload=payload))

    def _arm_heartbeat(self) -> None:
        interval_s = self.configuration.number("heartbeat_s")
        if interval_s > 0:
            self.after(interval_s, "heartbeat", self._beat)
        else:
            self._timers.pop("heartbeat", None)

    def _beat(self) -> None:
        self._arm_heartbeat()
        if not self.queue.waiting("Heartbeat"):
            self.send(*self.dialect.heartbeat(self))

    def reboot(self) -> None:
        """Restart: the registration is lost and what still runs ends; what is queued survives."""
        self._boot_reason = self.reboot_reason or "PowerUp"
        self.reboot_reason = None
        self._booted = self.registered = self.pending = False
        self.disconnected()
        for evse in self.evses.values():
            self.stop(evse, Stop.POWER_LOSS)
        if not self.personality.keeps_settings:
            self.configuration, self.local = self._new_settings(len(self.evses)), LocalAuthorisation()
            self._forget_profiles(self.profiles)

    # -- messages -----------------------------------------------------------------------------------------

    def send(
        self,
        action: str,
        payload: JsonObject,
        *,
        tx_key: str | None = None,
        on_result: Callable[[JsonObject | None], None] | None = None,
    ) -> None:
        """Queue a CALL, as often and as late as this station does; offline only transactions are kept."""
        early = self.pending and self.link_up and tx_key is None
        kind = kind_of(action, payload)
        copies = self.personality.copies.get(kind, 1)
        if not copies or (tx_key is None and not (self.online or early)):
            if on_result:
                on_result(None)
            return
        for _ in range(copies):
            message = Message(
                message_id=self.new_id(),
                action=action,
                payload=payload,
                tx_key=tx_key,
                early=early,
                on_result=on_result,
            )
            self._push(message, self.personality.delays_s.get(kind, 0.0))

    def _push(self, message: Message, delay_s: float) -> None:
        if delay_s:
            self.after(delay_s, f"late-{message.message_id}", lambda: self.queue.push(message))
        else:
            self.queue.push(message)

    def ready(self) -> Message | None:
        """Return the message to send now, if the connection is up."""
        return self.queue.ready(self.uptime_s, registered=self.registered) if self.link_up else None

    def complete(self, message: Message) -> JsonObject:
        """Return the payload to send, with what was learnt since it was queued, in this station's words."""
        payload = self.dialect.complete(self, message)
        for rewrite in self.personality.says:
            payload = rewrite(message.action, payload)
        return payload

    def serve(self, frame: Frame) -> Answer:
        """Serve a CALL; raises :class:`RpcError` for what must become a CALLERROR."""
        handler = self.dialect.handlers().get(frame.name)
        known = self.personality.answers_calls
        if handler is None or (known is not None and frame.name not in known):
            raise RpcError(Violation.NOT_IMPLEMENTED, f"{frame.name} is not known")
        heard = frame.body
        for rewrite in self.personality.hears:
            heard = rewrite(frame.name, heard)
        answer = self._reflex(frame.name, heard) or handler(self, heard)
        payload = answer.payload
        for rewrite in self.personality.replies:
            payload = rewrite(frame.name, payload)
        return replace(answer, payload=payload)

    def _reflex(self, action: str, payload: JsonObject) -> Answer | None:
        answers = (reflex(action, payload) for reflex in self.personality.reflexes)
        answer = next((one for one in answers if one is not None), None)
        return None if answer is None else Answer(payload=answer, silent=answer is SILENCE)

    def answered(self, message: Message, result: JsonObject) -> None:
        """Take the answer to a message."""
        self.queue.done(message, result)

    def failed(self, message: Message, why: str) -> None:
        """Take a refusal of, or the lack of an answer to, a message."""
        given_up = self.queue.failed(
            message,
            now_s=self.uptime_s,
            attempts=self.configuration.number("attempts"),
            interval_s=self.configuration.number("attempt_interval_s"),
        )
        if not given_up:
            self.after(message.not_before_s - self.uptime_s, f"retry-{message.message_id}", lambda: None)
        self.report("refused", action=message.action, why=why, given_up=given_up)

    def report(self, name: str, **facts: object) -> None:
        """Tell whoever watches."""
        if self._report:
            self._report(Reported(name=name, at=self.now, facts=facts))


def _on(profile: Profile, evse: Evse) -> Profile:
    return replace(profile, evse_id=evse.id)


_RESERVE_REFUSALS = {State.FAULTED: "Faulted", State.UNAVAILABLE: "Unavailable"}
