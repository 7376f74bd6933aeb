"""The 2.0.1 device model: settings and facts of the hardware as components and variables. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chargepoint_emulator.battery import VOLTAGE_V
from chargepoint_emulator.evse import STATUS_201
from chargepoint_emulator.station import Evse, Station
from chargepoint_emulator.wire import JsonObject


@dataclass(frozen=True, kw_only=True)
class Row:
    """One variable of one component with its actual value."""

    component: JsonObject
    variable: JsonObject
    value: str
    data_type: str = "string"
    mutability: str = "ReadOnly"
    unit: str | None = None

    def report(self) -> JsonObject:
        """Return the row as NotifyReport carries it; what is written only keeps its value to itself."""
        attribute: JsonObject = {"type": "Actual", "mutability": self.mutability}
        if self.mutability != "WriteOnly":
            attribute["value"] = self.value
        characteristics: JsonObject = {"dataType": self.data_type, "supportsMonitoring": False}
        if self.unit:
            characteristics["unit"] = self.unit
        return {
            "component": self.component,
            "variable": self.variable,
            "variableAttribute": [attribute],
            "variableCharacteristics": characteristics,
        }


def component_key(component: JsonObject) -> tuple[str, str, object, object]:
    """Return what identifies a component, whatever the case of its name."""
    evse = component.get("evse") or {}
    name, instance = str(component.get("name", "")), str(component.get("instance", ""))
    return name.casefold(), instance.casefold(), evse.get("id"), evse.get("connectorId")


def variable_key(variable: JsonObject) -> tuple[str, str]:
    """Return what identifies a variable within its component."""
    return str(variable.get("name", "")).casefold(), str(variable.get("instance", "")).casefold()


def rows(station: Station) -> Iterator[Row]:
    """Yield the whole device model."""
    for setting in station.configuration:
        if setting.variable:
            variable: JsonObject = {"name": setting.variable.name}
            if setting.variable.instance:
                variable["instance"] = setting.variable.instance
            yield Row(
                component={"name": setting.variable.component},
                variable=variable,
                value=setting.value,
                data_type=setting.data_type,
                mutability=setting.mutability,
                unit=setting.unit,
            )
    for evse in station.evses.values():
        yield from _evse_rows(evse)


def _evse_rows(evse: Evse) -> Iterator[Row]:
    component = {"name": "EVSE", "evse": {"id": evse.id}}
    watts = round(evse.kind.max_a * VOLTAGE_V * evse.kind.phases)
    yield Row(component=component, variable={"name": "Available"}, value="true", data_type="boolean")
    yield Row(
        component=component,
        variable={"name": "AvailabilityState"},
        value=STATUS_201[evse.state],
        data_type="OptionList",
    )
    yield Row(
        component=component,
        variable={"name": "SupplyPhases"},
        value=str(evse.kind.phases),
        data_type="integer",
    )
    yield Row(
        component=component, variable={"name": "Power"}, value=str(watts), data_type="decimal", unit="W"
    )
    connector = {"name": "Connector", "evse": {"id": evse.id, "connectorId": 1}}
    yield Row(component=connector, variable={"name": "Available"}, value="true", data_type="boolean")
    yield Row(
        component=connector,
        variable={"name": "ConnectorType"},
        value="cCCS2" if evse.kind.dc else "sType2",
    )
