"""The tenant guard: what forgets the organisation, or names another, never reaches the database."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, exists, func, insert, literal, select, text, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.sql.elements import ClauseElement

from supervision.store.guard import MissingTenantError, across_tenants, check
from supervision.store.schema import alerts, bookings, people, replan_requests, roles, stations, vehicles

V, B, S = vehicles.c, bookings.c, stations.c
IN_V, IN_B = V.organisation_id == "org", B.organisation_id == "org"
other = vehicles.alias("other")
theirs = select(V.id).where(IN_V)

REFUSED: dict[str, ClauseElement] = {
    "select": select(vehicles),
    "select one column": select(V.id),
    "count": select(func.count()).select_from(vehicles),
    "update": update(vehicles).values(name="x"),
    "delete": delete(vehicles),
    "another tenant": select(vehicles).where(V.organisation_id == "other"),
    "unbound parameter": select(vehicles).where(V.organisation_id == literal(None)),
    "only unequal": select(vehicles).where(V.organisation_id != "org"),
    "one branch of an or": select(vehicles).where((IN_V) | (V.id == "car-1")),
    "negated": select(vehicles).where(~((IN_V) & (V.id == "car-1"))),
    "compared but not filtered": select(vehicles, IN_V),
    "join, one side": select(vehicles).join(bookings, B.vehicle_id == V.id).where(IN_V),
    "join, equal to each other only": select(vehicles).join(bookings, B.organisation_id == V.organisation_id),
    "outer join, condition on the left": select(vehicles).outerjoin(
        bookings, (B.vehicle_id == V.id) & IN_V & IN_B
    ),
    "alias beside its table": select(vehicles, other).where(IN_V),
    "alias": select(other).where(other.c.id == "car-1"),
    "subquery": select(people).where(people.c.id.in_(select(B.driver_id))),
    "subquery of the same table": select(vehicles).where(V.id.in_(theirs)),
    "exists over the same table": select(vehicles).where(IN_V, exists(select(V.id).where(V.id == "x"))),
    "cte": select(select(vehicles).cte("every")),
    "derived table": select(select(vehicles).subquery()),
    "union, one side": theirs.union(select(V.id)),
    "scalar in the columns": select(people.c.id, select(func.count(B.id)).scalar_subquery()),
    "update from another table": update(vehicles).values(name="x").where(IN_V, V.id == B.vehicle_id),
    "update by a subquery": update(vehicles).where(IN_V).values(name=select(B.id).scalar_subquery()),
    "given away": update(vehicles).where(IN_V).values(organisation_id="other"),
    "delete elsewhere": delete(vehicles).where(V.organisation_id == "other"),
    "insert without": insert(vehicles).values(id="x"),
    "insert elsewhere": insert(vehicles).values(id="x", organisation_id="other"),
    "insert several, one elsewhere": insert(vehicles).values(
        [{"id": "x", "organisation_id": "org"}, {"id": "y", "organisation_id": "other"}]
    ),
    "insert from an unguarded select": insert(vehicles).from_select(
        ["id", "organisation_id"], select(S.id, S.organisation_id)
    ),
    "insert from a select, other tenant": insert(vehicles).from_select(
        ["id", "organisation_id"], select(people.c.id, literal("other"))
    ),
    "insert from a select, no tenant": insert(vehicles).from_select(["id"], select(people.c.id)),
    "upsert on a global id": upsert(replan_requests)
    .values(station_id="st", organisation_id="org")
    .on_conflict_do_update(index_elements=["station_id"], set_={"reason": "x"}),
    "text": text("SELECT * FROM vehicles"),
}

ALLOWED: dict[str, ClauseElement] = {
    "no tenant's table": select(people),
    "select": select(vehicles).where(IN_V),
    "reversed": select(vehicles).where(literal("org") == V.organisation_id),
    "and of several": select(vehicles).where((V.id == "car-1") & ((V.phases == 3) & IN_V)),
    "join through the other side": select(vehicles)
    .join(bookings, (B.vehicle_id == V.id) & (B.organisation_id == V.organisation_id))
    .where(IN_V),
    "join, both": select(vehicles).join(bookings, B.vehicle_id == V.id).where(IN_V, IN_B),
    "outer join": select(vehicles).outerjoin(bookings, (B.vehicle_id == V.id) & IN_B).where(IN_V),
    "outer join through the left": select(vehicles)
    .outerjoin(bookings, (B.vehicle_id == V.id) & (B.organisation_id == V.organisation_id))
    .where(IN_V),
    "alias": select(other).where(other.c.organisation_id == "org"),
    "subquery": select(people).where(people.c.id.in_(select(B.driver_id).where(IN_B))),
    "correlated exists": select(vehicles).where(
        IN_V, exists(select(B.id).where(B.vehicle_id == V.id, B.organisation_id == V.organisation_id))
    ),
    "cte": select(select(vehicles).where(IN_V).cte("mine")),
    "union": theirs.union(select(B.vehicle_id).where(IN_B)),
    "scalar in the columns": select(
        V.id, select(func.count(B.id)).where(B.vehicle_id == V.id, IN_B).scalar_subquery()
    ).where(IN_V),
    "update": update(vehicles).where(IN_V).values(name="x"),
    "delete": delete(vehicles).where(IN_V, V.id == "car-1"),
    "insert": insert(vehicles).values(id="x", organisation_id="org"),
    "insert several": insert(vehicles).values([{"id": "x", "organisation_id": "org"}]),
    "insert from a select": insert(vehicles).from_select(
        ["id", "organisation_id"], select(S.id, S.organisation_id).where(S.organisation_id == "org")
    ),
    "upsert on the tenant's key": upsert(alerts)
    .values(organisation_id="org", cause="c")
    .on_conflict_do_update(index_elements=["organisation_id", "cause"], set_={"kind": "x"}),
    "upsert that looks at the owner": upsert(replan_requests)
    .values(station_id="st", organisation_id="org")
    .on_conflict_do_update(
        index_elements=["station_id"],
        set_={"reason": "x"},
        where=replan_requests.c.organisation_id == "org",
    ),
    "upsert that changes nothing": upsert(replan_requests)
    .values(station_id="st", organisation_id="org")
    .on_conflict_do_nothing(),
}


@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED.keys())
def test_statement_outside_its_tenant_is_refused(statement: ClauseElement) -> None:
    with pytest.raises(MissingTenantError):
        check(statement, "org")


@pytest.mark.parametrize("statement", ALLOWED.values(), ids=ALLOWED.keys())
def test_statement_inside_its_tenant_is_allowed(statement: ClauseElement) -> None:
    check(statement, "org")


@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED.keys())
def test_declared_exception_lets_everything_pass(statement: ClauseElement) -> None:
    check(statement, across_tenants("the test of the exception"))


ROWS: dict[str, tuple[list[dict[str, Any]], bool]] = {
    "all mine": ([{"organisation_id": "org"}, {"organisation_id": "org"}], True),
    "one elsewhere": ([{"organisation_id": "org"}, {"organisation_id": "other"}], False),
    "one without": ([{"organisation_id": "org"}, {"role": "driver"}], False),
}


@pytest.mark.parametrize(("rows", "allowed"), ROWS.values(), ids=ROWS.keys())
def test_rows_inserted_together_all_belong_to_the_tenant(rows: list[dict[str, Any]], allowed: bool) -> None:
    if allowed:
        check(insert(roles), "org", rows)
    else:
        with pytest.raises(MissingTenantError):
            check(insert(roles), "org", rows)
