"""Every statement on a tenant's table names the tenant; forgetting it is an error, not an empty filter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Column, Delete, Insert, Table, Update
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, ClauseElement
from sqlalchemy.sql.selectable import FromClause

TENANT_COLUMN = "organisation_id"


@dataclass(frozen=True)
class AcrossTenants:
    """A declared exception: work of the whole service, with its reason for the reader of the code."""

    reason: str


Tenant = str | AcrossTenants


def across_tenants(reason: str) -> AcrossTenants:
    """Declare that a unit of work spans organisations, and why."""
    return AcrossTenants(reason)


class MissingTenantError(RuntimeError):
    """A statement touches a tenant's table without comparing its organisation, or names another one."""


def check(statement: ClauseElement, tenant: Tenant, rows: Iterable[Mapping[str, Any]] = ()) -> None:
    """Raise MissingTenantError unless `statement` (and every inserted row) stays inside `tenant`."""
    if isinstance(tenant, AcrossTenants):
        return
    if isinstance(statement, Insert):
        _check_rows(statement, tenant, rows)
    target = statement.table if isinstance(statement, Insert) else None
    compared = _compared_sources(statement, tenant)
    for source in _tenant_sources(statement):
        if source is not target and source not in compared:
            raise MissingTenantError(f"no comparison of {source}.{TENANT_COLUMN} in: {statement}")


def _check_rows(statement: Insert, tenant: str, rows: Iterable[Mapping[str, Any]]) -> None:
    if not isinstance(statement.table, Table) or TENANT_COLUMN not in statement.table.c:
        return
    given = [row.get(TENANT_COLUMN) for row in rows] or [_inserted_tenant(statement)]
    if any(value != tenant for value in given):
        raise MissingTenantError(f"insert into {statement.table.name} for another tenant than {tenant!r}")


def _inserted_tenant(statement: Insert) -> object:
    values: Mapping[Any, Any] = getattr(statement, "_values", None) or {}
    for column, value in values.items():
        if getattr(column, "name", column) == TENANT_COLUMN:
            return value.value if isinstance(value, BindParameter) else value
    return None


def _tenant_sources(statement: ClauseElement) -> set[FromClause]:
    found: set[FromClause] = set()
    for element in visitors.iterate(statement):
        if isinstance(element, Column) and element.table is not None:
            found.add(element.table)
        elif isinstance(element, Table):
            found.add(element)
    if isinstance(statement, Update | Delete | Insert):
        found.add(statement.table)
    # An alias is a source of its own; the table under it is then not.
    aliased = {getattr(source, "element", None) for source in found}
    return {
        source
        for source in found
        if TENANT_COLUMN in source.c and source not in aliased and _is_stored(source)
    }


def _is_stored(source: FromClause) -> bool:
    return isinstance(source, Table) or isinstance(getattr(source, "element", None), Table)


def _compared_sources(statement: ClauseElement, tenant: str) -> set[FromClause]:
    compared: set[FromClause] = set()
    for element in visitors.iterate(statement):
        if isinstance(element, BinaryExpression) and element.operator is operators.eq:
            sides = (element.left, element.right)
            columns = [s for s in sides if isinstance(s, Column) and s.name == TENANT_COLUMN]
            binds = [s for s in sides if isinstance(s, BindParameter)]
            if columns and binds and binds[0].value != tenant:
                raise MissingTenantError(f"{columns[0]} is compared with another tenant than {tenant!r}")
            compared.update(column.table for column in columns)
    return compared
