"""Every statement on a tenant's table names the tenant; forgetting it is an error, not an empty filter.

A table with an `organisation_id` column is a tenant's. In each SELECT, UPDATE or DELETE, however deep it is
nested, every such source must be tied to the tenant by conditions that always hold (joined by AND): by
comparing its column with the tenant's id, or with the column of a source that is tied already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Alias, BindParameter, Column, Delete, Insert, Select, Table, TextClause, Update
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, ClauseElement, Grouping, Label
from sqlalchemy.sql.selectable import FromClause, Join

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
    if isinstance(statement, TextClause):
        raise MissingTenantError(f"text cannot be checked, write it as an expression: {statement}")
    if not _KNOWN.covers(statement, tenant):
        _check_whole(statement, tenant, rows)
        _KNOWN.learn(statement)


def check_prepared(statement: Select[Any]) -> None:
    """Raise MissingTenantError unless a SELECT that knows no tenant yet compares with a parameter for it."""
    _check_scope(statement, None, frozenset())


def _check_whole(statement: ClauseElement, tenant: str, rows: Iterable[Mapping[str, Any]]) -> None:
    if isinstance(statement, Insert):
        _check_insert(statement, tenant, rows)
    if isinstance(statement, Update):
        _check_values(statement, tenant, statement._values or {}, *rows)
    if isinstance(statement, Update | Delete | Select):
        _check_scope(statement, tenant, frozenset())
    else:
        _check_nested(statement, tenant, frozenset())


class _KnownShapes:
    """Shapes of statements that were found good, with the places where they take the tenant's id.

    The full check costs milliseconds, because SQLAlchemy must compile a SELECT to tell what it selects from;
    its own cache key says cheaply that a statement has a shape that was checked. Only the values that were
    compared with a tenant's column can differ then, and they are looked at every time.
    """

    MOST = 4000

    def __init__(self) -> None:
        self._places: dict[Any, tuple[int, ...]] = {}

    def covers(self, statement: ClauseElement, tenant: str) -> bool:
        """Tell whether the shape is known and every compared value is this tenant's id."""
        key = _shape(statement)
        places = None if key is None else self._places.get(key.key)
        if key is None or places is None:
            return False
        return all(key.bindparams[place].effective_value == tenant for place in places)

    def learn(self, statement: ClauseElement) -> None:
        """Remember the shape of a statement that was checked in full."""
        key = _shape(statement)
        if key is None or len(self._places) >= self.MOST:
            return
        compared = {id(bind) for bind in _compared_binds(statement)}
        places = [place for place, bind in enumerate(key.bindparams) if id(bind) in compared]
        if len(places) == len(compared):
            self._places[key.key] = tuple(places)


def _shape(statement: ClauseElement) -> Any:
    """SQLAlchemy's cache key; None for what is checked by its values: inserts, and updates of the tenant."""
    if isinstance(statement, Insert):
        return None
    if isinstance(statement, Update) and any(
        getattr(column, "name", column) == TENANT_COLUMN for column in statement._values or ()
    ):
        return None
    return statement._generate_cache_key()


def _compared_binds(statement: ClauseElement) -> Iterator[BindParameter[Any]]:
    for element in visitors.iterate(statement):
        if isinstance(element, BinaryExpression):
            sides = (element.left, element.right)
            if any(_is_tenant_column(side) for side in sides):
                yield from (side for side in sides if isinstance(side, BindParameter))


# --- what is written ----------------------------------------------------------------------------------


def _check_insert(statement: Insert, tenant: str, rows: Iterable[Mapping[str, Any]]) -> None:
    if TENANT_COLUMN not in statement.table.c:
        return
    if statement.select is not None:
        _check_copied(statement, tenant)
    else:
        written = [*rows, *_given_rows(statement)] or [{}]
        if any(_tenant_in(row) != tenant for row in written):
            raise MissingTenantError(f"insert into {statement.table} for another tenant than {tenant!r}")
    _check_conflict(statement, tenant)


def _given_rows(statement: Insert) -> list[Mapping[Any, Any]]:
    several: list[Any] = [row for group in statement._multi_values for row in group]
    return several or ([statement._values] if statement._values else [])


def _tenant_in(row: Mapping[Any, Any]) -> object:
    for column, value in row.items():
        if getattr(column, "name", column) == TENANT_COLUMN:
            return value.effective_value if isinstance(value, BindParameter) else value
    return None


def _check_copied(statement: Insert, tenant: str) -> None:
    """INSERT ... SELECT: the tenant's column is copied from a checked source or is the tenant's id."""
    source = statement.select
    names = list(statement._select_names or ())
    if TENANT_COLUMN in names and isinstance(source, Select):
        copied = list(source.selected_columns)[names.index(TENANT_COLUMN)]
        value = copied.element if isinstance(copied, Label) else copied
        if isinstance(value, BindParameter) and value.effective_value == tenant:
            return
        if isinstance(value, Column) and value.name == TENANT_COLUMN:
            return
    raise MissingTenantError(f"insert into {statement.table} without the organisation of {tenant!r}")


def _check_conflict(statement: Insert, tenant: str) -> None:
    """ON CONFLICT DO UPDATE must not change the row of another tenant that bears the same id."""
    clause: Any = statement._post_values_clause
    changes = getattr(clause, "update_values_to_set", None)
    if changes is None:
        return
    _check_values(statement, tenant, changes)
    keys = {getattr(key, "name", key) for key in clause.inferred_target_elements or ()}
    tie = _Ties()
    tie.learn(clause.update_whereclause, tenant, None)
    if TENANT_COLUMN not in keys and statement.table not in tie.tied:
        raise MissingTenantError(f"upsert into {statement.table} may change another tenant's row: add where=")


def _check_values(statement: Update | Insert, tenant: str, *rows: Mapping[Any, Any]) -> None:
    for row in rows:
        if any(getattr(column, "name", column) == TENANT_COLUMN for column in row) and (
            _tenant_in(row) != tenant
        ):
            raise MissingTenantError(f"{statement.table} would be given to another tenant than {tenant!r}")


# --- what is read or chosen ---------------------------------------------------------------------------


@dataclass
class _Ties:
    """Which sources are tied to the tenant, and which become so through another."""

    tied: set[FromClause] = field(default_factory=set)
    through: list[tuple[FromClause, FromClause]] = field(default_factory=list)

    def learn(
        self, condition: ClauseElement | None, tenant: str | None, only: set[FromClause] | None
    ) -> None:
        """Take in a condition that always holds; an outer join's speaks only for the sources `only`."""
        for part in _conjuncts(condition):
            if not isinstance(part, BinaryExpression) or part.operator is not operators.eq:
                continue
            sides = (part.left, part.right)
            sources = [side.table for side in sides if _is_tenant_column(side)]
            values = [side.effective_value for side in sides if isinstance(side, BindParameter)]
            if sources and any(value != tenant for value in values):
                raise MissingTenantError(f"{part} compares with another tenant than {tenant!r}")
            if len(sources) == 2:  # noqa: PLR2004 - one column equals the other
                self.through += [(a, b) for a, b in (sources, sources[::-1]) if only is None or b in only]
            elif values:
                self.tied.update(source for source in sources if only is None or source in only)

    def spread(self) -> set[FromClause]:
        """Follow the equalities between columns until nothing more becomes tied."""
        while fresh := {b for a, b in self.through if a in self.tied} - self.tied:
            self.tied |= fresh
        return self.tied


def _is_tenant_column(side: object) -> bool:
    return isinstance(side, Column) and side.name == TENANT_COLUMN


def _conjuncts(condition: Any) -> Iterator[ClauseElement]:
    if isinstance(condition, Grouping):
        yield from _conjuncts(condition.element)
    elif isinstance(condition, BooleanClauseList) and condition.operator is operators.and_:
        for part in condition.clauses:
            yield from _conjuncts(part)
    elif condition is not None:
        yield condition


def _check_scope(
    statement: Select[Any] | Update | Delete, tenant: str | None, outer: frozenset[FromClause]
) -> None:
    """Check one SELECT, UPDATE or DELETE, then those nested in it; `outer` sources are checked already.

    Without a tenant its place is held by a parameter without a value.
    """
    ties = _Ties()
    ties.learn(statement.whereclause, tenant, None)
    own: set[FromClause] = set()
    for source in _sources_named(statement):
        own |= _take_in(source, ties, tenant)
    correlated = own & outer
    if correlated == own and not getattr(statement, "_correlate", ()):
        correlated = set()  # SQL correlates nothing when nothing would be left to select from
    ties.tied |= correlated | {source for source in own if not isinstance(source, Table | Alias)}
    tied = ties.spread()
    for source in own:
        if _is_guarded(source) and source not in tied:
            raise MissingTenantError(f"no comparison of {source}.{TENANT_COLUMN} in: {statement}")
    _check_nested(statement, tenant, outer | own)


def _sources_named(statement: Select[Any] | Update | Delete) -> list[FromClause]:
    if isinstance(statement, Select):
        return list(statement.get_final_froms())
    # UPDATE ... FROM: every table its conditions mention takes part.
    where = () if statement.whereclause is None else _columns(statement.whereclause)
    mentioned = {column.table for column in where if column.table is not None}
    return [statement.table, *(mentioned - {statement.table})]


def _columns(element: ClauseElement) -> Iterator[Column[Any]]:
    if isinstance(element, Column):
        yield element
    for child in element.get_children():
        if not isinstance(child, Select) and isinstance(child, ClauseElement):
            yield from _columns(child)


def _take_in(source: FromClause, ties: _Ties, tenant: str | None) -> set[FromClause]:
    """Return the single sources under joins, learning from the joins' conditions."""
    if not isinstance(source, Join):
        return {source}
    left = _take_in(source.left, ties, tenant)
    right = _take_in(source.right, ties, tenant)
    speaks_for = set() if source.full else right if source.isouter else None
    ties.learn(source.onclause, tenant, speaks_for)
    return left | right


def _is_guarded(source: FromClause) -> bool:
    stored = source.element if isinstance(source, Alias) else source
    return isinstance(stored, Table) and TENANT_COLUMN in stored.c


def _check_nested(element: ClauseElement, tenant: str | None, outer: frozenset[FromClause]) -> None:
    for child in element.get_children():
        if isinstance(child, Select):
            _check_scope(child, tenant, outer)
        elif isinstance(child, ClauseElement):
            _check_nested(child, tenant, outer)


_KNOWN = _KnownShapes()
