"""The driver's and the station's pages of the same invented afternoon."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta

from supervision.web.shell import Viewer
from supervision.web.views import command_model as command
from supervision.web.views import device_model as machines
from supervision.web.views import driver_model as driver
from supervision.web.views import station_model as station
from tests.unit.web.samples import DRIVER, EURRE, MANAGER, NOW, PARIS, SUPERVISION, at

HERE = NOW.astimezone(PARIS)
OFFER = driver.CarOffer(
    vehicle="zoe-1",
    name="Zoé bleue",
    model="Renault Zoé 52 kWh",
    plate="AB-123-CD",
    station="Eurre – Écosite",
    total_cents=2500,
    soc_percent=80,
    range_km=210,
    href="/drive/confirm?vehicle=zoe-1",
    elsewhere=False,
)
E208 = replace(
    OFFER,
    vehicle="e208",
    name="e-208 grise",
    model="Peugeot e-208",
    station="Aouste-sur-Sye – Mairie",
    total_cents=2700,
    soc_percent=64,
    range_km=170,
    elsewhere=True,
)
LINES = (
    driver.PriceLine(label="Durée d'utilisation", quantity="4 h × 6,00 €", amount_cents=2400),
    driver.PriceLine(label="Frais de réservation", quantity="", amount_cents=100),
)
TERMS = driver.CommunityTerms(
    buffer_min=30,
    late_step_cents=1000,
    code_lead=timedelta(hours=1),
    closed=(time(0), time(5)),
    return_needs_charge=True,
)
SEARCH = driver.SearchView(
    presets=tuple(
        driver.Preset(
            code=code, start=at("16:00"), end=at("20:00"), href="/drive?x", current=code == "evening"
        )
        for code in ("now", "evening", "morning", "day")
    ),
    community="valdrome",
    communities=(driver.Choice(value="valdrome", label="Val de Drôme"),),
    station="eurre",
    stations=(
        driver.Choice(value="eurre", label="Eurre – Écosite"),
        driver.Choice(value="crest", label="Crest – Gare"),
    ),
    favourite="eurre",
    start_on=date(2026, 11, 21),
    start_time=time(16),
    end_on=date(2026, 11, 21),
    end_time=time(20),
    first_on=date(2026, 11, 21),
    last_on=date(2027, 2, 19),
    start=at("16:00"),
    end=at("20:00"),
    offers=(OFFER, E208),
    refusal=None,
    times=tuple(time(hour, minute) for hour in range(24) for minute in (0, 30)),
    now=HERE,
)
CONFIRM = driver.ConfirmView(
    offer=OFFER,
    start=at("16:00"),
    end=at("20:00"),
    lines=LINES,
    km_cents=0,
    terms=TERMS,
    back="/drive",
    refusal=None,
    now=HERE,
)
CODE = driver.CodeView(
    digits="48219037",
    valid_from=at("15:45"),
    valid_until=at("20:15"),
    released_at=at("15:00"),
    sent_to=("d1@example.org", "+33 6 00 00 00 01"),
)
BOOKING = driver.BookingView(
    id="b2",
    number="B2",
    state="booked",
    vehicle="Zoé bleue",
    plate="AB-123-CD",
    station="Eurre – Écosite",
    place="place 2",
    evse="EURRE-1/1",
    start=at("16:00"),
    end=at("20:00"),
    taken_at=None,
    returned_at=None,
    soc_percent=80,
    range_km=210,
    code=CODE,
    lines=LINES,
    latest_end=at("21:30"),
    latest_extra_cents=900,
    support_phone="04 00 00 00 00",
    invoice="",
    can_start=True,
    can_return=False,
    can_extend=True,
    can_cancel=True,
    late_by=None,
    driver="",
    odometer_km=24310,
    now=HERE,
)
ACTIVE = replace(
    BOOKING, state="late", can_start=False, can_return=True, can_cancel=False, late_by=timedelta(minutes=22)
)
WAITING = replace(BOOKING, code=replace(CODE, digits="", sent_to=()), can_start=False)
BILLED = replace(
    BOOKING, state="completed", code=None, can_start=False, can_extend=False, can_cancel=False, invoice="i1"
)
SUMMARY = driver.BookingSummary(
    id="b2",
    state="booked",
    vehicle="Zoé bleue",
    station="Eurre – Écosite",
    start=at("16:00"),
    end=at("20:00"),
    total_cents=2500,
)
BOOKINGS = driver.BookingsView(
    current=(replace(SUMMARY, id="b1", state="active", vehicle="e-208", start=at("12:00"), end=at("15:00")),),
    upcoming=(SUMMARY,),
    past=(
        replace(SUMMARY, id="b0", state="completed", start=at("07:00"), end=at("10:30")),
        replace(SUMMARY, id="bx", state="cancelled", total_cents=None),
    ),
    max_upcoming=3,
    now=HERE,
)
EXTEND = driver.ExtendView(
    booking=SUMMARY,
    options=tuple(
        driver.ExtendOption(end=at("20:00") + timedelta(minutes=30 * n), extra_cents=300 * n)
        for n in (1, 2, 3)
    ),
    refusal=None,
    now=HERE,
)
RETURN = driver.ReturnView(
    booking=SUMMARY,
    key="done",
    plugged="done",
    charging="waiting",
    needs_charge=True,
    evse="EURRE-1/1",
    power_w=0,
    last_km=24310,
    late_by=timedelta(minutes=22),
    late_cents=1000,
    refusal=None,
    support_phone="04 00 00 00 00",
    now=HERE,
)
PROBLEM = driver.ProblemView(booking=SUMMARY, support_phone="04 00 00 00 00", refusal=None, now=HERE)
INVOICES = driver.InvoicesView(
    invoices=(
        driver.InvoiceSummary(
            id="i2",
            number="VD-2026-000042",
            issued_on=date(2026, 11, 20),
            total_cents=2500,
            state="due",
            what="Zoé bleue",
        ),
        driver.InvoiceSummary(
            id="i1",
            number="VD-2026-000031",
            issued_on=date(2026, 11, 2),
            total_cents=4350,
            state="paid",
            what="e-208 grise",
        ),
    ),
    more="",
)
INVOICE = driver.InvoiceView(
    id="i2",
    number="VD-2026-000042",
    issued_at=at("10:30"),
    state="due",
    seller=("Communauté de communes du Val de Drôme", "Écosite", "26400 Eurre"),
    buyer=("Dominique Roux", "d1@example.org"),
    booking="b0",
    vehicle="Zoé bleue",
    start=at("07:00"),
    end=at("10:30"),
    lines=LINES,
    vat=(driver.VatLine(percent=20, net_cents=2083, vat_cents=417),),
    total_cents=2500,
    due_at=at("+10:30"),
    corrects="",
)
EVSE = station.EvseState(
    id=1,
    kind="AC 22 kW",
    status="Charging",
    error="",
    since=at("11:12"),
    power_w=7200,
    limit_a=16,
    max_a=32,
    energy_wh=14200,
    id_token="04A1…C3",
    vehicle="Zoé bleue",
    charging_transaction="1042",
)
DEVICE = station.ChargingStationState(
    identity="EURRE-1",
    connected=True,
    ocpp="1.6",
    vendor="Emu",
    model="AC22",
    firmware="1.4.2",
    seen_at=at("14:23"),
    deviations=3,
    evses=(
        EVSE,
        replace(
            EVSE,
            id=2,
            status="Available",
            power_w=0,
            limit_a=None,
            energy_wh=None,
            id_token="",
            vehicle="Kangoo mairie",
            charging_transaction="",
        ),
    ),
)
BROKEN = replace(
    DEVICE,
    identity="EURRE-2",
    connected=False,
    ocpp="2.0.1",
    evses=(
        replace(
            EVSE, status="Faulted", error="GroundFailure", power_w=0, energy_wh=None, id_token="", vehicle=""
        ),
    ),
)
STATION = station.StationView(
    card=EURRE,
    charging_stations=(DEVICE, BROKEN),
    planned_at=at("14:20"),
    solver="highs",
    limit_a=(35, 35, 35),
    voltage_v=230,
    now=HERE,
    plan=(
        station.PlanLine(
            vehicle="Zoé bleue",
            start=at("14:24"),
            end=at("15:36"),
            power_w=7200,
            amps=10.4,
            energy_wh=8600,
            reason="met",
            reason_params={"until_at": at("16:00")},
        ),
        station.PlanLine(
            vehicle="Kangoo mairie",
            start=at("15:36"),
            end=at("17:50"),
            power_w=9900,
            amps=14.3,
            energy_wh=22100,
            reason="site_limit",
            reason_params={},
        ),
    ),
)
FRAMES = (
    station.FrameLine(
        id=9,
        at=at("14:23"),
        direction="in",
        kind="call",
        action="MeterValues",
        summary="EVSE 1: 7 200 W, 14 200 Wh",
        raw='[2,"19","MeterValues",{"connectorId":1}]',
    ),
    station.FrameLine(
        id=8,
        at=at("14:23"),
        direction="out",
        kind="result",
        action="MeterValues",
        summary="",
        raw='[3,"19",{}]',
    ),
    station.FrameLine(
        id=7,
        at=at("14:20"),
        direction="out",
        kind="call",
        action="SetChargingProfile",
        summary="EVSE 1: 16 A",
        raw='[2,"a1","SetChargingProfile",{"connectorId":1}]',
    ),
    station.FrameLine(
        id=6,
        at=at("14:20"),
        direction="in",
        kind="error",
        action="SetChargingProfile",
        summary="NotSupported: no smart charging",
        raw='[4,"a1","NotSupported","no smart charging",{}]',
    ),
)
REPLIES = (
    command.CommandOutcome(
        id="c1",
        charging_station="EURRE-1",
        action="Reset",
        state="answered",
        detail="Accepted",
        at=at("14:21"),
        meaning=command.Meaning(kind="pending", awaits="restart", word="Accepted"),
    ),
    command.CommandOutcome(
        id="c2",
        charging_station="EURRE-2",
        action="SetVariables",
        state="answered",
        detail="",
        at=at("14:20"),
        meaning=command.Meaning(
            kind="partly", items=(("OCPPCommCtrlr.HeartbeatInterval", "Rejected", "OutOfRange"),)
        ),
    ),
    command.CommandOutcome(
        id="c3",
        charging_station="CREST-1",
        action="GetConfiguration",
        state="queued",
        detail="",
        at=at("14:19"),
        tries=1,
        due_at=at("14:25"),
    ),
    command.CommandOutcome(
        id="c4",
        charging_station="CREST-2",
        action="ClearCache",
        state="timeout",
        detail="NotSupported",
        at=at("14:18"),
        meaning=command.Meaning(kind="refused", word="NotSupported", reason="no"),
        late=True,
    ),
    command.CommandOutcome(
        id="c5", charging_station="CREST-3", action="Reset", state="cancelled", detail="", at=at("14:17")
    ),
)
DEVICE_VIEW = station.ChargingStationView(
    station="eurre",
    station_name="Eurre – Écosite",
    state=DEVICE,
    frames=FRAMES,
    actions=("Heartbeat", "MeterValues"),
    filter_action="",
    filter_kind="",
    older="?before=6",
    outcome=REPLIES[0],
    commands=REPLIES,
    now=HERE,
)
BATCH = command.BatchLine(
    id="k1", action="ChangeConfiguration", at=at("14:20"), total=4, states=(("answered", 3), ("queued", 1))
)
BATCH_VIEW = command.BatchView(line=BATCH, commands=REPLIES, now=HERE)
BATCHES_VIEW = command.BatchesView(
    lines=(BATCH, replace(BATCH, id="k0", states=(("answered", 4),))),
    everywhere=(command.Choice(value="organisation:ccvd", label="Val de Drôme"),),
    places=(command.Choice(value="station:eurre", label="Eurre – Écosite"),),
    models=(command.Choice(value="Acme\tWall 22\t1.4", label="Acme Wall 22 1.4"),),
    now=HERE,
)
DEVICES = station.ChargingStationsView(
    groups=(("eurre", "Eurre – Écosite", (DEVICE, BROKEN)), ("crest", "Crest – Gare", (DEVICE,))), now=HERE
)
UPDATE = machines.ErrandLine(
    kind="firmware",
    state="waiting",
    word="InstallScheduled",
    begun_at=at("10:00"),
    told_at=at("14:20"),
    href="",
    charging_station="EURRE-1",
)
LISTED = replace(
    UPDATE, kind="report", state="done", word="Reported", href="/charging-stations/EURRE-1/reports/3"
)
LOG = machines.FileLine(
    id="f1",
    kind="security_log",
    name="security.log",
    facts="",
    size_bytes=1234,
    at=at("09:00"),
    href="/files/f1",
)
MACHINE = machines.MachineView(
    identity="EURRE-1",
    ocpp="2.0.1",
    notices=(
        machines.NoticeLine(
            at=at("14:00"),
            name="TamperDetectionActivated",
            facts="lid",
            alarming=True,
            cleared=False,
            evse_id=None,
        ),
        machines.NoticeLine(
            at=at("13:00"), name="EVSE.Temperature", facts="31", alarming=False, cleared=True, evse_id=1
        ),
        machines.NoticeLine(
            at=at("12:00"), name="StartupOfTheDevice", facts="", alarming=False, cleared=False, evse_id=None
        ),
    ),
    errands=(UPDATE, LISTED),
    holds=(machines.HoldLine(evse_id=0, token_hint="B2C3", state="held", until=at("16:00")),),
    limits=(machines.LimitLine(evse_id=0, source="EMS", facts="10 @ 0 s", at=at("11:00")),),
    files=(LOG, replace(LOG, id="f2", kind="diagnostics", size_bytes=None, href="")),
    commands=True,
    now=HERE,
)
REPORT = machines.ReportView(
    identity="EURRE-1",
    errand=LISTED,
    rows=(("EVSE.Power (EVSE 1)", "value 7400"), ("", "text")),
    pages=2,
    now=HERE,
)
FIRMWARE = machines.FirmwareView(
    organisations={"ccvd": "Val de Drôme", "ccd": "Crestois"},
    files=(replace(LOG, kind="firmware", name="fw-2.bin", facts="Alfen · NG910 · 2"),),
    stations=(("EURRE-1", "Alfen NG910 1"), ("CREST-1", "")),
    errands=(UPDATE,),
    sent=(("EURRE-1", "queued"), ("CREST-1", "never_connected")),
    now=HERE,
)
BOTH = Viewer(name="Sacha Nguyen", email="sacha@example.org", manages=True, drives=True)

PAGES = {
    "supervision": ("supervision.html", MANAGER, "/supervision", SUPERVISION),
    "station": ("station.html", MANAGER, "/stations/eurre", STATION),
    "charging-stations": ("charging_stations.html", MANAGER, "/charging-stations", DEVICES),
    "charging-station": ("charging_station.html", BOTH, "/charging-stations/EURRE-1", DEVICE_VIEW),
    "command-batches": ("command_batches.html", MANAGER, "/command-batches", BATCHES_VIEW),
    "command-batch": ("command_batch.html", MANAGER, "/command-batches/k1", BATCH_VIEW),
    "machine": ("machine.html", BOTH, "/charging-stations/EURRE-1/machine", MACHINE),
    "machine-empty": (
        "machine.html",
        BOTH,
        "/charging-stations/EURRE-1/machine",
        replace(MACHINE, notices=(), errands=(), holds=(), limits=(), files=(), commands=False),
    ),
    "report": ("report.html", BOTH, "/charging-stations/EURRE-1/reports/3", REPORT),
    "report-empty": (
        "report.html",
        BOTH,
        "/charging-stations/EURRE-1/reports/3",
        replace(REPORT, rows=(), pages=0),
    ),
    "firmware": ("firmware.html", BOTH, "/firmware", FIRMWARE),
    "firmware-empty": (
        "firmware.html",
        BOTH,
        "/firmware",
        replace(FIRMWARE, organisations={"ccvd": "V"}, files=(), stations=(), errands=(), sent=()),
    ),
    "login": (
        "login.html",
        None,
        "/login",
        driver.LoginView(email="", next="/", refusal=driver.Refusal(code="bad_credentials")),
    ),
    "drive": ("drive.html", DRIVER, "/drive", SEARCH),
    "drive-refused": (
        "drive.html",
        DRIVER,
        "/drive",
        replace(
            SEARCH,
            offers=(),
            start=None,
            end=None,
            refusal=driver.Refusal(code="start_closed", params={"from": "00:00", "until": "05:00"}),
        ),
    ),
    "confirm": ("confirm.html", DRIVER, "/drive/confirm", CONFIRM),
    "booking": ("booking.html", DRIVER, "/bookings/b2", BOOKING),
    "booking-late": ("booking.html", DRIVER, "/bookings/b2", ACTIVE),
    "booking-waiting": ("booking.html", DRIVER, "/bookings/b2", WAITING),
    "booking-billed": ("booking.html", DRIVER, "/bookings/b2", BILLED),
    "bookings": ("bookings.html", DRIVER, "/bookings", BOOKINGS),
    "extend": ("extend.html", DRIVER, "/bookings/b2/extend", EXTEND),
    "return": ("return.html", DRIVER, "/bookings/b2/return", RETURN),
    "problem": ("problem.html", DRIVER, "/bookings/b2/problem", PROBLEM),
    "invoices": ("invoices.html", DRIVER, "/invoices", INVOICES),
    "invoice": ("invoice.html", DRIVER, "/invoices/i2", INVOICE),
    "error": ("error.html", None, "/nowhere", driver.ErrorView(status=404, reference="")),
    "offline": ("offline.html", None, "/offline", driver.ErrorView(status=0, reference="")),
}
