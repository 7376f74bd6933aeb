"""The settings of a station as one table: 1.6 key, 2.0.1 variable, and who may write it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chargepoint_emulator.kinds import Kind
from chargepoint_emulator.metering import DEFAULT_MEASURANDS, SUPPORTED_MEASURANDS
from chargepoint_emulator.profiles import Capabilities, Unit


@dataclass(frozen=True, kw_only=True)
class Variable:
    """Name of a setting in 2.0.1: component, variable and instance of the variable."""

    component: str
    name: str
    instance: str | None = None


@dataclass(kw_only=True)
class Setting:
    """A setting with its value as text, as OCPP carries it."""

    name: str
    value: str
    key_16: str | None = None
    variable: Variable | None = None
    data_type: str = "string"
    mutability: str = "ReadWrite"
    unit: str | None = None

    @property
    def writable(self) -> bool:
        """Tell whether the central system may change it."""
        return self.mutability != "ReadOnly"

    @property
    def readable(self) -> bool:
        """Tell whether the central system may read it (a password is written only)."""
        return self.mutability != "WriteOnly"

    def allows(self, text: str) -> bool:
        """Tell whether a text is a value of this setting."""
        return _CHECKS.get(self.data_type, _anything)(text)


def _anything(_: str) -> bool:
    return True


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _is_boolean(text: str) -> bool:
    return text.casefold() in {"true", "false"}


def _are_measurands(text: str) -> bool:
    return all(one in SUPPORTED_MEASURANDS for one in split_list(text))


_CHECKS: dict[str, Callable[[str], bool]] = {
    "integer": _is_count,
    "boolean": _is_boolean,
    "MemberList": _are_measurands,
}


def split_list(text: str) -> list[str]:
    """Return the items of a comma-separated value."""
    return [item.strip() for item in text.split(",") if item.strip()]


class Configuration:
    """All settings of one station, found by either version's name."""

    def __init__(self, settings: list[Setting]) -> None:
        """Index the table by the names of both versions."""
        self._settings = {setting.name: setting for setting in settings}
        self._by_key = {s.key_16.casefold(): s for s in settings if s.key_16}
        self._by_variable = {_folded(s.variable): s for s in settings if s.variable}
        self._components = {s.variable.component.casefold() for s in settings if s.variable}

    def __iter__(self) -> Iterator[Setting]:
        """Yield the settings in the order of the table."""
        return iter(self._settings.values())

    def text(self, name: str) -> str:
        """Return a value as text."""
        return self._settings[name].value

    def number(self, name: str) -> int:
        """Return a whole number."""
        return int(self._settings[name].value)

    def flag(self, name: str) -> bool:
        """Return a boolean."""
        return self._settings[name].value.casefold() == "true"

    def items(self, name: str) -> list[str]:
        """Return a list."""
        return split_list(self._settings[name].value)

    def set(self, name: str, value: str) -> None:
        """Set a value from inside the station, whatever the rights."""
        self._settings[name].value = value

    def by_key(self, key: str) -> Setting | None:
        """Find a setting by its 1.6 key, case-insensitively."""
        return self._by_key.get(key.casefold())

    def by_variable(self, variable: Variable) -> Setting | None:
        """Find a setting by its 2.0.1 variable, case-insensitively."""
        return self._by_variable.get(_folded(variable))

    def has_component(self, component: str) -> bool:
        """Tell whether any variable belongs to this component."""
        return component.casefold() in self._components


def _folded(variable: Variable) -> tuple[str, str, str]:
    return variable.component.casefold(), variable.name.casefold(), (variable.instance or "").casefold()


def _count(name: str, value: int, key: str | None, where: str | None, **more: str) -> Setting:
    return _setting(name, str(value), key, where, data_type="integer", **more)


def _flag(name: str, value: str, key: str | None, where: str | None, **more: str) -> Setting:
    return _setting(name, value, key, where, data_type="boolean", **more)


def _setting(name: str, value: str, key: str | None, where: str | None, **more: str) -> Setting:
    """Make a row; ``where`` is "Component.Variable" or "Component.Variable.Instance"."""
    variable = None
    if where:
        component, variable_name, *instance = where.split(".")
        variable = Variable(
            component=component, name=variable_name, instance=instance[0] if instance else None
        )
    return Setting(name=name, value=value, key_16=key, variable=variable, **more)


def station_settings(
    *, kind: Kind, evses: int, capabilities: Capabilities, meter_interval_s: int
) -> Configuration:
    """Return the settings of a new station."""
    measurands = ",".join(m for m in DEFAULT_MEASURANDS if kind.dc or m != "SoC")
    return Configuration(
        [
            *_timing(meter_interval_s),
            *_sampling(measurands),
            *_authorising(),
            *_messages(),
            *_charging_profiles(capabilities),
            *_facts(kind, evses),
        ]
    )


_READ = {"mutability": "ReadOnly"}
_SECONDS = {"unit": "s"}


def _timing(meter_interval_s: int) -> list[Setting]:
    return [
        _count("heartbeat_s", 300, "HeartbeatInterval", "OCPPCommCtrlr.HeartbeatInterval", **_SECONDS),
        _count("connect_s", 120, "ConnectionTimeOut", "TxCtrlr.EVConnectionTimeOut", **_SECONDS),
        _count(
            "sample_s",
            meter_interval_s,
            "MeterValueSampleInterval",
            "SampledDataCtrlr.TxUpdatedInterval",
            **_SECONDS,
        ),
        _count("aligned_s", 0, "ClockAlignedDataInterval", "AlignedDataCtrlr.Interval", **_SECONDS),
        _count("ended_sample_s", 0, None, "SampledDataCtrlr.TxEndedInterval", **_SECONDS),
        _count("ping_s", 60, "WebSocketPingInterval", "OCPPCommCtrlr.WebSocketPingInterval", **_SECONDS),
        _count("offline_threshold_s", 0, None, "OCPPCommCtrlr.OfflineThreshold", **_SECONDS),
    ]


def _sampling(measurands: str) -> list[Setting]:
    members = {"data_type": "MemberList"}
    return [
        _setting(
            "sampled",
            measurands,
            "MeterValuesSampledData",
            "SampledDataCtrlr.TxUpdatedMeasurands",
            **members,
        ),
        _setting("aligned", measurands, "MeterValuesAlignedData", "AlignedDataCtrlr.Measurands", **members),
        _setting(
            "sampled_start",
            "Energy.Active.Import.Register",
            None,
            "SampledDataCtrlr.TxStartedMeasurands",
            **members,
        ),
        _setting(
            "sampled_end",
            "Energy.Active.Import.Register",
            None,
            "SampledDataCtrlr.TxEndedMeasurands",
            **members,
        ),
        _setting("stop_sampled", "", "StopTxnSampledData", None, **members),
        _setting("stop_aligned", "", "StopTxnAlignedData", None, **members),
        _flag("sampling", "true", None, "SampledDataCtrlr.Enabled", **_READ),
        _flag("aligning", "true", None, "AlignedDataCtrlr.Enabled", **_READ),
    ]


def _authorising() -> list[Setting]:
    return [
        _flag("authorise_remote", "false", "AuthorizeRemoteTxRequests", "AuthCtrlr.AuthorizeRemoteStart"),
        _flag("offline_known", "true", "LocalAuthorizeOffline", "AuthCtrlr.LocalAuthorizeOffline"),
        _flag("pre_authorise", "false", "LocalPreAuthorize", "AuthCtrlr.LocalPreAuthorize"),
        _flag(
            "offline_unknown",
            "false",
            "AllowOfflineTxForUnknownId",
            "AuthCtrlr.OfflineTxForUnknownIdEnabled",
        ),
        _flag("cache", "true", "AuthorizationCacheEnabled", "AuthCacheCtrlr.Enabled"),
        _flag("list", "true", "LocalAuthListEnabled", "LocalAuthListCtrlr.Enabled"),
        _count("list_max", 1000, "LocalAuthListMaxLength", "LocalAuthListCtrlr.Entries", **_READ),
        _count("list_send_max", 100, "SendLocalListMaxLength", "LocalAuthListCtrlr.ItemsPerMessage", **_READ),
        _flag("stop_on_invalid", "true", "StopTransactionOnInvalidId", "TxCtrlr.StopTxOnInvalidId"),
        _flag(
            "stop_on_unplug",
            "true",
            "StopTransactionOnEVSideDisconnect",
            "TxCtrlr.StopTxOnEVSideDisconnect",
            **_READ,
        ),
        _flag("unlock_on_unplug", "true", "UnlockConnectorOnEVSideDisconnect", None, **_READ),
        _setting("start_point", "PowerPathClosed", None, "TxCtrlr.TxStartPoint", **_READ),
        _setting("stop_point", "Authorized,EVConnected", None, "TxCtrlr.TxStopPoint", **_READ),
        _setting(
            "password",
            "",
            "AuthorizationKey",
            "SecurityCtrlr.BasicAuthPassword",
            mutability="WriteOnly",
        ),
        _count("security_profile", 1, "SecurityProfile", "SecurityCtrlr.SecurityProfile", **_READ),
    ]


def _messages() -> list[Setting]:
    return [
        _count(
            "attempts",
            3,
            "TransactionMessageAttempts",
            "OCPPCommCtrlr.MessageAttempts.TransactionEvent",
        ),
        _count(
            "attempt_interval_s",
            60,
            "TransactionMessageRetryInterval",
            "OCPPCommCtrlr.MessageAttemptInterval.TransactionEvent",
            **_SECONDS,
        ),
        _count("reset_retries", 1, "ResetRetries", "OCPPCommCtrlr.ResetRetries"),
        _count("get_max_keys", 50, "GetConfigurationMaxKeys", None, **_READ),
        _count("get_items", 50, None, "DeviceDataCtrlr.ItemsPerMessage.GetVariables", **_READ),
        _count("set_items", 50, None, "DeviceDataCtrlr.ItemsPerMessage.SetVariables", **_READ),
        _count("report_items", 50, None, "DeviceDataCtrlr.ItemsPerMessage.GetReport", **_READ),
    ]


def _charging_profiles(capabilities: Capabilities) -> list[Setting]:
    words = {Unit.AMPERE: "Current", Unit.WATT: "Power"}
    units = sorted(capabilities.units)
    return [
        _flag("profiles_enabled", "true", None, "SmartChargingCtrlr.Enabled", **_READ),
        _flag("profiles_available", "true", None, "SmartChargingCtrlr.Available", **_READ),
        _count(
            "profile_level_max",
            capabilities.max_stack_level,
            "ChargeProfileMaxStackLevel",
            "SmartChargingCtrlr.ProfileStackLevel",
            **_READ,
        ),
        _count(
            "profile_periods_max",
            capabilities.max_periods,
            "ChargingScheduleMaxPeriods",
            "SmartChargingCtrlr.PeriodsPerSchedule",
            **_READ,
        ),
        _count(
            "profiles_max",
            capabilities.max_installed,
            "MaxChargingProfilesInstalled",
            "SmartChargingCtrlr.Entries.ChargingProfiles",
            **_READ,
        ),
        _setting(
            "profile_units_16",
            ",".join(words[unit] for unit in units),
            "ChargingScheduleAllowedChargingRateUnit",
            None,
            **_READ,
        ),
        _setting("profile_units", ",".join(units), None, "SmartChargingCtrlr.RateUnit", **_READ),
        _flag(
            "switches_phases",
            "false",
            "ConnectorSwitch3to1PhaseSupported",
            "SmartChargingCtrlr.Phases3to1",
            **_READ,
        ),
    ]


def _facts(kind: Kind, evses: int) -> list[Setting]:
    rotation = ",".join(f"{evse_id}.RST" for evse_id in range(evses + 1))
    features = "Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,RemoteTrigger"
    return [
        _count("evses", evses, "NumberOfConnectors", None, **_READ),
        _setting("phase_rotation", rotation, "ConnectorPhaseRotation", None),
        _setting("features", features, "SupportedFeatureProfiles", None, **_READ),
        _count("supply_phases", kind.phases, None, "ChargingStation.SupplyPhases", **_READ),
        _flag("present", "true", None, "ChargingStation.Available", **_READ),
        _setting("model", kind.name, None, "ChargingStation.Model", **_READ),
    ]
