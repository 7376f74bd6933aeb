"""The driver's and the station's pages of the same invented afternoon."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta

from supervision.web.shell import Viewer
from supervision.web.views import charges_model as charges
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
    local_list=station.LocalListBadge(state="in_sync", entries=12, version=3, changed_at=at("11:02")),
    evses=(
        EVSE,
        replace(
            EVSE,
            id=2,
            status="Finishing",
            power_w=0,
            limit_a=None,
            energy_wh=None,
            id_token="",
            vehicle="Kangoo mairie",
            charging_transaction="",
            remedy="out_of_service",
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
RELAY = station.RelayView(
    charging_station="EURRE-1",
    hosts=("csms.example.org", "backup.example.net:9000"),
    state=station.RelayState(
        url="wss://csms.example.org:443/ocpp/a/path/that/is/longer/than/a/phone/is/wide",
        identity="FR*ABC*E1",
        password_set=True,
        owner="there",
        connected_at=at("13:30"),
        error="silent",
        error_at=at("13:29"),
        waiting=3,
        delivered=12_345,
        refused=1,
        lost=0,
        own_answers=2,
    ),
    editable=True,
)
SECURITY = station.SecurityView(
    profile=1,
    wanted_profile=2,
    password_set=True,
    password_on_its_way=False,
    certificates=(
        station.CertificateLine(
            id=3,
            state="installed",
            reason="",
            serial="0A5C77D1E2" * 4,
            ends_at=at("16:00"),
            requested_at=at("13:30"),
        ),
        station.CertificateLine(
            id=2,
            state="rejected",
            reason="rejected_by_station",
            serial="5B7C1D9A0F" * 4,
            ends_at=at("16:00"),
            requested_at=at("13:00"),
        ),
        station.CertificateLine(
            id=1, state="refused", reason="csr_name", serial="", ends_at=None, requested_at=at("12:00")
        ),
    ),
    roots=(
        station.RootLine(kind="CSMSRootCertificate", serial="01F2", ours=True, name="SHA256:aa:bb:01F2"),
        station.RootLine(kind="ManufacturerRootCertificate", serial="77", ours=False, name="SHA256:cc:dd:77"),
    ),
    roots_at=at("14:00"),
    higher_profiles=(2, 3),
)
REPORT = station.ConfigurationReport(
    identity="EURRE-1",
    state="drift",
    checked_at=at("14:01"),
    lines=(
        station.SettingLine(
            name="MeterValueSampleInterval", wanted="60", found="300", state="refused", reason="Limits"
        ),
        station.SettingLine(name="ConnectionTimeOut", wanted="120", found=None, state="unknown", reason=""),
    ),
)
DEVICE_VIEW = station.ChargingStationView(
    station="eurre",
    station_name="Eurre – Écosite",
    state=DEVICE,
    settings=REPORT,
    frames=FRAMES,
    actions=("Heartbeat", "MeterValues"),
    filter_action="",
    filter_kind="",
    older="?before=6",
    outcome=REPLIES[0],
    commands=REPLIES,
    security=SECURITY,
    relay=RELAY,
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
    groups=(("eurre", "Eurre – Écosite", (DEVICE, BROKEN)), ("crest", "Crest – Gare", (DEVICE,))),
    may_adopt=True,
    now=HERE,
)
STRANGERS = station.StrangersView(
    strangers=(
        station.Stranger(
            identity="CREST-3",
            address="192.0.2.7",
            first_seen_at=at("12:02"),
            last_seen_at=at("14:23"),
            attempts=48,
            offered=("ocpp2.0.1", "ocpp1.6"),
            sent_password=True,
        ),
        station.Stranger(
            identity="LIVRON-1",
            address="",
            first_seen_at=at("14:20"),
            last_seen_at=at("14:20"),
            attempts=1,
            offered=(),
            sent_password=False,
        ),
    ),
    places=(("eurre", "Eurre – Écosite"), ("crest", "Crest – Gare")),
    kinds=(("ac7", "AC 7 kW"), ("ac22", "AC 22 kW")),
    sought="",
    adopted=station.NewPassword(identity="CREST-2", password="00112233445566778899aabbccddeeff"),
    now=HERE,
)
WISHES = station.WishesView(
    wishes=(
        station.WishLine(
            id=1,
            ocpp="1.6",
            name="MeterValueSampleInterval",
            value="60",
            reason="Limits",
            kind="",
            charging_station="",
        ),
        station.WishLine(
            id=2,
            ocpp="2.0.1",
            name="TxCtrlr.EVConnectionTimeOut",
            value=None,
            reason="",
            kind="Emu AC22",
            charging_station="",
        ),
    ),
    drifting=(REPORT,),
    may_edit=True,
    organisations=(("o1", "Val de Drôme"), ("o2", "Privas")),
    now=HERE,
)
PROBE = station.ProbeView(
    identity="EURRE-1",
    kind="Emu AC22 1.4.2",
    connected=True,
    state="running",
    step="car",
    found=(("features", "Core, SmartCharging"), ("triggers", "yes"), ("clock", "no")),
    known=(("obeys_low", "no"), ("meter", "went_back"), ("odd", "word")),
    learnt_at=at("09:10"),
    learnt_from="EURRE-2",
    now=HERE,
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
REPORT_PAGE = machines.ReportView(
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

CHARGE = charges.DoubtfulCharge(
    id=42,
    charging_station="EURRE-1",
    evse_id=1,
    station_name="Eurre – Écosite",
    vehicle="Zoé bleue",
    id_token="…2C3",
    started_at=at("08:10"),
    stopped_at=at("11:40"),
    meter_start_wh=120_000,
    meter_stop_wh=131_500,
    measured_wh=11_500,
    settled="",
    settled_wh=None,
    reasons=("presumed_end", "no_stop_reading"),
    ground="idle",
    proposal_wh=11_500,
    basis="registers",
    readings=(
        charges.ReadingLine(at=at("08:10"), register_wh=120_000, power_w=None),
        charges.ReadingLine(at=at("11:40"), register_wh=131_500, power_w=3_600),
    ),
    decisions=(
        charges.DecisionLine(at=at("12:00"), ground="idle", how="", energy_wh=None, person="", note=""),
    ),
    may_settle=True,
)
RESETTLED = replace(
    CHARGE,
    id=43,
    stopped_at=None,
    settled="none",
    reasons=("changed_since_settled", "over_long"),
    ground="",
    proposal_wh=None,
    basis="",
    readings=(),
    decisions=(
        charges.DecisionLine(
            at=at("12:00"), ground="", how="entered", energy_wh=900, person="Martin", note="relevé"
        ),
    ),
)
REVIEW = charges.ReviewView(
    charges=(CHARGE, RESETTLED, replace(CHARGE, id=44, may_settle=False)),
    more="/charging/review?after=44",
    now=HERE,
)
ATTEMPT = charges.AttemptLine(
    at=at("08:09"),
    charging_station="EURRE-1",
    evse_id=1,
    purpose="start",
    token="…2C3",
    status="Accepted",
    person="Claire",
    booking="b2",
)
ATTEMPTS = charges.AttemptsView(
    attempts=(ATTEMPT, replace(ATTEMPT, evse_id=None, purpose="", status="Blocked", person="", booking="")),
    charging_stations=("AOUSTE-1", "EURRE-1"),
    charging_station="EURRE-1",
    status="Blocked",
    day="2026-11-21",
    older="/charging/attempts?before=7",
)
PAGES = {
    "supervision": ("supervision.html", MANAGER, "/supervision", SUPERVISION),
    "station": ("station.html", MANAGER, "/stations/eurre", STATION),
    "charging-stations": ("charging_stations.html", MANAGER, "/charging-stations", DEVICES),
    "unknown-stations": ("unknown_stations.html", MANAGER, "/unknown-charging-stations", STRANGERS),
    "unknown-stations-none": (
        "unknown_stations.html",
        MANAGER,
        "/unknown-charging-stations",
        replace(STRANGERS, strangers=(), adopted=None, sought="CREST-9"),
    ),
    "configuration": (
        "configuration.html",
        MANAGER,
        "/charging-stations/EURRE-1/configuration",
        station.ConfigurationView(
            report=REPORT, connected=False, policy="pending", registration="Pending", now=HERE
        ),
    ),
    "desired-settings": ("desired_settings.html", MANAGER, "/desired-settings", WISHES),
    "desired-settings-none": (
        "desired_settings.html",
        MANAGER,
        "/desired-settings",
        replace(WISHES, wishes=(), drifting=(), may_edit=False),
    ),
    "probe": ("probe.html", MANAGER, "/charging-stations/EURRE-1/probe", PROBE),
    "probe-none": (
        "probe.html",
        MANAGER,
        "/charging-stations/EURRE-1/probe",
        replace(PROBE, state="none", step="", found=(), known=(), learnt_at=None, connected=False),
    ),
    "charging-station": ("charging_station.html", BOTH, "/charging-stations/EURRE-1", DEVICE_VIEW),
    "charging-station-known-here-alone": (
        "charging_station.html",
        BOTH,
        "/charging-stations/EURRE-1",
        replace(DEVICE_VIEW, relay=replace(RELAY, state=None)),
    ),
    "review": ("review.html", MANAGER, "/charging/review", REVIEW),
    "review-empty": ("review.html", MANAGER, "/charging/review", replace(REVIEW, charges=(), more="")),
    "attempts": ("attempts.html", MANAGER, "/charging/attempts", ATTEMPTS),
    "command-batches": ("command_batches.html", MANAGER, "/command-batches", BATCHES_VIEW),
    "command-batch": ("command_batch.html", MANAGER, "/command-batches/k1", BATCH_VIEW),
    "machine": ("machine.html", BOTH, "/charging-stations/EURRE-1/machine", MACHINE),
    "machine-empty": (
        "machine.html",
        BOTH,
        "/charging-stations/EURRE-1/machine",
        replace(MACHINE, notices=(), errands=(), holds=(), limits=(), files=(), commands=False),
    ),
    "report": ("report.html", BOTH, "/charging-stations/EURRE-1/reports/3", REPORT_PAGE),
    "report-empty": (
        "report.html",
        BOTH,
        "/charging-stations/EURRE-1/reports/3",
        replace(REPORT_PAGE, rows=(), pages=0),
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
