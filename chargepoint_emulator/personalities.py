"""The known ways of misbehaving, by name: a new one is one row here.

``chargepoint-emulator --list-personalities`` prints this table; docs/emulator.md shows it.
"""

from __future__ import annotations

from chargepoint_emulator import faults
from chargepoint_emulator.personality import Personality
from chargepoint_emulator.profiles import Capabilities, Purpose, Unit
from chargepoint_emulator.wire import JsonObject

_NO_STATION_MAX = frozenset({Purpose.TX_DEFAULT, Purpose.TX})
_CORE = frozenset(
    {"RemoteStartTransaction", "RemoteStopTransaction", "RequestStartTransaction", "RequestStopTransaction"}
    | {"Reset", "ChangeAvailability", "UnlockConnector"}
    | {"GetConfiguration", "ChangeConfiguration", "GetVariables", "SetVariables"}
)
_SMART = "smart charging"


def _is_tx(profile: JsonObject) -> bool:
    return bool(profile.get("chargingProfilePurpose") == "TxProfile")


_ALL = (
    Personality(name="good", help="does what the standard asks"),
    # -- handshake and socket
    Personality(name="no_subprotocol", help="offers no sub-protocol", seen="1", offers=()),
    Personality(name="old_subprotocol", help="offers ocpp1.5 alone", seen="2", offers=("ocpp1.5",)),
    Personality(
        name="encoded_identity",
        help="percent-encodes every character of its identity",
        seen="5",
        spells_identity=True,
    ),
    Personality(
        name="no_connection_header",
        help="asks for a WebSocket without the header Connection",
        seen="3",
        connection_header=False,
    ),
    Personality(
        name="other_version_after_reconnect",
        help="speaks the other version of OCPP after a reconnection between two charges",
        seen="4",
        changes_version=True,
    ),
    Personality(
        name="second_socket",
        help="opens a second socket 2 real seconds after power-up, and says nothing on it",
        seen="8",
        second_socket_after_s=2.0,
    ),
    Personality(name="hex_password", help="sends its password in hexadecimal", seen="7", hex_password=True),
    Personality(
        name="half_open",
        help="after 2 real seconds neither reads nor writes, and does not close",
        seen="9",
        deaf_after_s=2.0,
    ),
    Personality(name="no_pong", help="answers no WebSocket ping", seen="10", answers_pings=False),
    # -- boot, heartbeat, clock
    Personality(name="boot_after_reconnect", help="boots at every reconnection", boots_on_reconnect=True),
    Personality(
        name="no_boot_after_reconnect",
        help="says nothing at a reconnection",
        seen="11",
        greets_on_reconnect=False,
    ),
    Personality(name="never_boots", help="works without BootNotification", seen="11, 12", boots=False),
    Personality(name="no_heartbeat", help="sends no Heartbeat", seen="29", copies={"Heartbeat": 0}),
    Personality(name="clock_skew", help="clock 7 minutes ahead", clock_skew_s=420.0),
    Personality(name="clock_behind", help="clock 2 minutes behind", seen=_SMART, clock_skew_s=-120.0),
    Personality(
        name="clock_1970", help="all times in 1970", seen="25", says=(faults.timestamps(faults.in_1970),)
    ),
    Personality(
        name="clock_far_ahead", help="all times in 2038", seen="25", says=(faults.timestamps(faults.in_2038),)
    ),
    Personality(
        name="local_time_as_utc",
        help="local time that ends in Z",
        seen="24",
        says=(faults.timestamps(faults.two_hours_ahead),),
    ),
    Personality(
        name="time_without_zone",
        help="times without a zone",
        seen="24",
        says=(faults.timestamps(faults.without_zone),),
    ),
    Personality(
        name="offset_without_colon",
        help="times that end in +0200",
        seen="24",
        says=(faults.timestamps(faults.offset_without_colon),),
    ),
    # -- charging transactions
    Personality(name="lost_start", help="the start is never sent", seen="18, 19", copies={"start": 0}),
    Personality(name="lost_stop", help="the end is never sent", seen="53", copies={"stop": 0}),
    Personality(name="duplicate_start", help="the start comes twice", seen="16, 17", copies={"start": 2}),
    Personality(name="duplicate_stop", help="the end comes twice", seen="20", copies={"stop": 2}),
    Personality(
        name="values_after_stop", help="readings come 2 minutes late", seen="21", delays_s={"values": 120.0}
    ),
    Personality(
        name="available_before_stop", help="the end comes 5 seconds late", seen="28", delays_s={"stop": 5.0}
    ),
    Personality(
        name="ended_first",
        help="start and readings come an hour late, after the end",
        seen="53",
        delays_s={"start": 3600.0, "values": 3600.0},
    ),
    Personality(
        name="transaction_id_minus_one",
        help="1.6: every message says transactionId -1",
        seen="18",
        says=(faults.transaction_id(-1),),
    ),
    Personality(
        name="transaction_id_zero",
        help="1.6: every message says transactionId 0",
        seen="18",
        says=(faults.transaction_id(0),),
    ),
    Personality(
        name="no_transaction_id",
        help="1.6: no message says a transactionId",
        seen="18",
        says=(faults.transaction_id(None),),
    ),
    Personality(
        name="transaction_id_one",
        help='2.0.1: the transactionId is always "1"',
        seen="54",
        says=(faults.one_transaction_id,),
    ),
    Personality(
        name="seq_no_stuck",
        help="2.0.1: seqNo is always 0",
        seen="52",
        says=(faults.fields("TransactionEvent", seqNo=0),),
    ),
    Personality(
        name="no_connector", help="2.0.1: events without connectorId", seen="52", says=(faults.no_connector,)
    ),
    Personality(
        name="long_id_tag",
        help="badges echoed 20 characters too long",
        seen="23",
        says=(faults.tags(lambda tag: tag + "0" * 20),),
    ),
    Personality(
        name="lower_case_tags",
        help="badges in small letters",
        seen="48",
        says=(faults.tags(str.lower),),
    ),
    Personality(
        name="truncated_tags",
        help="badges without their last byte",
        seen="48",
        says=(faults.tags(lambda tag: tag[:-2]),),
    ),
    Personality(
        name="unknown_reason",
        help="1.6: stops for a reason nobody knows",
        seen="23",
        says=(faults.fields("StopTransaction", reason="BecauseOfTheMoon"),),
    ),
    # -- status
    Personality(
        name="late_status",
        help="status comes 5 minutes late, with its own time",
        seen="26",
        delays_s={"StatusNotification": 300.0},
    ),
    Personality(
        name="flapping_status",
        help="1.6: SuspendedEV and Available between every two states",
        seen="27",
        flaps=True,
    ),
    Personality(
        name="hangs_in_finishing",
        help="a connector is never Available again",
        seen="59",
        says=(faults.never_available,),
    ),
    Personality(
        name="unknown_error_code",
        help="1.6: an errorCode nobody knows",
        seen="30",
        says=(faults.unknown_error,),
    ),
    Personality(
        name="long_serial",
        help="a serial of 33 characters, and in 1.6 a field of its own",
        seen="30",
        says=(faults.long_serial,),
    ),
    Personality(
        name="noise",
        help="an empty text and a message of an unknown type before every CALL, null for an empty payload",
        seen="55",
        noise=("", '[9,"0","Heartbeat",{}]'),
        null_payloads=True,
    ),
    # -- meter
    Personality(name="silent_meter", help="sends no readings", seen="35", reports_meter=False),
    Personality(
        name="energy_in_kwh_called_wh",
        help="readings of energy in kWh that say Wh",
        seen="32",
        says=(faults.samples(faults.energy_in_kwh),),
    ),
    Personality(
        name="power_in_kw_called_w",
        help="readings of power in kW that say W",
        seen="32",
        says=(faults.samples(faults.power_in_kw),),
    ),
    Personality(
        name="no_units", help="readings without unit", seen="32", says=(faults.samples(faults.unitless),)
    ),
    Personality(
        name="values_as_numbers",
        help="1.6: numbers where texts belong",
        seen="31",
        says=(faults.samples(faults.as_number),),
    ),
    Personality(
        name="values_with_spaces",
        help="values as texts with spaces around",
        seen="31",
        says=(faults.samples(faults.with_spaces),),
    ),
    Personality(
        name="current_in_hertz",
        help="1.6: currents in a unit nobody knows",
        seen="30",
        says=(faults.samples(faults.with_hertz),),
    ),
    Personality(
        name="phase_to_neutral",
        help="currents of L1-N, L2-N, L3-N",
        seen="37",
        says=(faults.samples(faults.phase_to_neutral),),
    ),
    Personality(
        name="totals_only",
        help="no reading per phase",
        seen="37",
        says=(faults.samples(faults.totals_only),),
    ),
    Personality(
        name="phases_only",
        help="no total but the register",
        seen="37",
        says=(faults.samples(faults.phases_only),),
    ),
    Personality(
        name="session_register",
        help="the register starts at zero with every charge",
        seen="33",
        register_per_session=True,
    ),
    Personality(
        name="no_meter_start", help="the start tells no register", seen="34", says=(faults.no_start_register,)
    ),
    # -- answers to commands
    Personality(name="answers_core_only", help="knows the core CALLs alone", answers_calls=_CORE),
    Personality(
        name="silent_to_triggers",
        help="never answers TriggerMessage",
        seen="14",
        reflexes=(faults.always(faults.SILENCE, "TriggerMessage", "ExtendedTriggerMessage"),),
    ),
    Personality(
        name="no_get_configuration",
        help="GetConfiguration is NotImplemented",
        seen="15",
        reflexes=(faults.not_implemented("GetConfiguration"),),
    ),
    Personality(
        name="single_measurand",
        help="1.6: refuses every value that is a list",
        seen="36",
        reflexes=(faults.single_measurand,),
    ),
    Personality(
        name="rate_unit_words",
        help='1.6: says " A, Power " where Current and Power belong',
        seen="38",
        replies=(faults.rate_unit_words,),
    ),
    Personality(
        name="refuses_whole_station",
        help="refuses ChangeAvailability of the whole station",
        seen="45",
        reflexes=(faults.whole_station_stays,),
    ),
    Personality(
        name="accepts_start_and_does_nothing",
        help="accepts a remote start, and nothing starts",
        seen="46",
        reflexes=(
            faults.always({"status": "Accepted"}, "RemoteStartTransaction", "RequestStartTransaction"),
        ),
    ),
    Personality(
        name="hexadecimal_tags_only",
        help="refuses a remote start whose badge is not hexadecimal",
        seen="47",
        reflexes=(faults.hexadecimal_tags_only,),
    ),
    Personality(
        name="slow_answers", help="answers every CALL 35 seconds late", seen="57", answer_delay_s=35.0
    ),
    Personality(
        name="other_spelling",
        help="spells error codes as the other version does",
        seen="56",
        other_spelling=True,
    ),
    Personality(
        name="reboot_required",
        help="1.6: answers RebootRequired to every accepted key",
        seen="60",
        replies=(faults.reboot_required,),
    ),
    Personality(
        name="forgets_at_reboot",
        help="settings, local list and profiles are gone after a reboot",
        seen="60",
        keeps_settings=False,
    ),
    # -- charging profiles
    Personality(
        name="ignores_profiles",
        help="accepts every profile and charges on",
        seen=f"41, {_SMART}",
        obeys_profiles=False,
    ),
    Personality(
        name="ignores_later_periods",
        help="obeys the first period alone",
        seen=f"41, {_SMART}",
        hears=(faults.schedules(faults.first_period),),
    ),
    Personality(
        name="ignores_number_phases",
        help="does not read numberPhases",
        seen=f"42, {_SMART}",
        hears=(faults.schedules(faults.no_number_phases),),
    ),
    Personality(
        name="ignores_start_schedule",
        help="takes an absolute schedule from the start of the charge",
        seen="42",
        hears=(faults.starts_when_heard,),
    ),
    Personality(
        name="whole_amperes",
        help="does not read tenths of an ampere",
        seen="42",
        hears=(faults.schedules(faults.whole_amperes),),
    ),
    Personality(
        name="misreads_watts",
        help="takes watts for those of one phase",
        seen=_SMART,
        hears=(faults.schedules(faults.watts_of_one_phase),),
    ),
    Personality(
        name="rejects_stack_above_0",
        help="knows stack level 0 alone",
        seen=f"39, {_SMART}",
        capabilities=Capabilities(max_stack_level=0),
    ),
    Personality(
        name="rejects_its_own_stack_level",
        help="announces stack level 3 and refuses it",
        seen=f"39, {_SMART}",
        capabilities=Capabilities(max_stack_level=3),
        reflexes=(faults.rejects_profile(lambda profile: profile.get("stackLevel", 0) >= 3),),  # noqa: PLR2004
    ),
    Personality(name="single_period", help="one period a schedule", capabilities=Capabilities(max_periods=1)),
    Personality(
        name="two_periods",
        help="two periods a schedule",
        seen=_SMART,
        capabilities=Capabilities(max_periods=2),
    ),
    Personality(
        name="watts_only",
        help="takes watts alone",
        seen=_SMART,
        capabilities=Capabilities(units=frozenset({Unit.WATT})),
    ),
    Personality(
        name="amperes_only",
        help="takes amperes alone",
        seen=_SMART,
        capabilities=Capabilities(units=frozenset({Unit.AMPERE})),
    ),
    Personality(
        name="rejects_station_max",
        help="refuses limits of the whole station",
        seen=f"44, {_SMART}",
        capabilities=Capabilities(purposes=_NO_STATION_MAX),
    ),
    Personality(
        name="rejects_tx_profile",
        help="refuses profiles of a charging transaction",
        seen="40",
        capabilities=Capabilities(purposes=frozenset({Purpose.STATION_MAX, Purpose.TX_DEFAULT})),
    ),
    Personality(
        name="default_for_the_next_charge",
        help="a default profile counts from the next charge on",
        seen=f"40, {_SMART}",
        default_acts_at_once=False,
    ),
    Personality(
        name="wants_transaction_id",
        help="refuses a profile of a charging transaction without its id",
        seen=f"40, {_SMART}",
        reflexes=(faults.rejects_profile(lambda one: _is_tx(one) and "transactionId" not in one),),
    ),
    Personality(
        name="takes_tx_profile_for_nothing",
        help="accepts a profile of a charging transaction, even without one, and ignores it",
        seen=_SMART,
        reflexes=(faults.rejects_profile(_is_tx, "Accepted"),),
    ),
    Personality(
        name="orphan_profiles",
        help="never clears a profile",
        seen=_SMART,
        reflexes=(faults.always({"status": "Unknown"}, "ClearChargingProfile"),),
    ),
    Personality(
        name="clears_slowly",
        help="a cleared profile counts for 30 more seconds",
        seen=_SMART,
        clear_delay_s=30.0,
    ),
    Personality(
        name="worn_flash",
        help="refuses every profile after the 20th",
        seen=_SMART,
        profile_writes=20,
    ),
    Personality(
        name="full_power_first",
        help="no profile counts in the first 30 seconds of a charge",
        seen=_SMART,
        free_s=30.0,
    ),
    Personality(
        name="composite_without_default",
        help="without a charge the composite schedule does not know the default profile",
        seen=_SMART,
        default_in_idle_composite=False,
    ),
    Personality(
        name="never_wakes", help="after 0 A the car sleeps until unplugged", seen=f"43, {_SMART}", wakes=False
    ),
    Personality(
        name="resumes_without_limit",
        help="after 0 A no limit counts any more",
        seen=_SMART,
        limits_after_pause=False,
    ),
    Personality(name="ends_at_zero", help="0 A ends the charge", seen=f"43, {_SMART}", ends_when_paused=True),
    Personality(
        name="drops_profiles_offline",
        help="without a line it forgets every profile",
        seen="58",
        keeps_profiles_offline=False,
    ),
)

PERSONALITIES = {one.name: one for one in _ALL}
