"""Rows and all that belongs to them by foreign keys, found in the tables' own definitions.

A table that a room adds is covered without a word here, as long as it says whose its rows are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import ColumnElement, Connection, ForeignKeyConstraint, delete, func, select, tuple_
from sqlalchemy.sql.schema import Table

from mailvane.core.ledger.tables import metadata, workspaces


def delete_with_dependents(connection: Connection, table: Table, condition: ColumnElement[bool]) -> Counter[str]:
    """Delete rows after everything that refers to them; how many of each table."""
    deleted: Counter[str] = Counter()
    for each, rows in _dependents(table, condition):
        deleted[each.name] += connection.execute(delete(each).where(rows)).rowcount
    return deleted


def count_with_dependents(connection: Connection, table: Table, condition: ColumnElement[bool]) -> Counter[str]:
    """How many rows `delete_with_dependents` would delete, of each table that has any."""
    counted: Counter[str] = Counter()
    for each, rows in _dependents(table, condition):
        found = connection.execute(select(func.count()).select_from(each).where(rows)).scalar_one()
        if found:  # a row that belongs to two others that go is reached twice and is one
            counted[each.name] = max(counted[each.name], found)
    return counted


def count_of_workspace(connection: Connection, workspace: int) -> Counter[str]:
    """How many rows are a workspace's, of each table that has any."""
    counted = count_with_dependents(connection, workspaces, workspaces.c.id == workspace)
    for table in _without_reference():
        rows = select(func.count()).select_from(table).where(table.c.workspace == workspace)
        counted[table.name] += connection.execute(rows).scalar_one()
    return +counted


def delete_workspace(connection: Connection, workspace: int) -> int:
    """Delete it and all that is its own; 1, or 0 where there is no such workspace."""
    # Whoever is about to add a row for it waits for this, and finds it gone.
    connection.execute(select(workspaces.c.id).where(workspaces.c.id == workspace).with_for_update())
    for table in _without_reference():
        connection.execute(delete(table).where(table.c.workspace == workspace))
    return delete_with_dependents(connection, workspaces, workspaces.c.id == workspace)[workspaces.name]


def _without_reference() -> Iterator[Table]:
    """Tables that name a workspace and are not tied to it."""
    for table in metadata.sorted_tables:
        if "workspace" in table.c and not table.c.workspace.foreign_keys:
            yield table


def _dependents(table: Table, condition: ColumnElement[bool]) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    """Tables and which of their rows go, those first that others do not refer to; the table itself last."""
    for other in metadata.sorted_tables:
        for constraint in sorted(other.foreign_key_constraints, key=lambda each: str(each.column_keys)):
            if constraint.referred_table is table and other is not table:
                yield from _dependents(other, _referring(constraint, table, condition))
    yield table, condition


def _referring(constraint: ForeignKeyConstraint, table: Table, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    own, theirs = list(constraint.columns), [each.column for each in constraint.elements]
    chosen = select(*theirs).select_from(table).where(condition)
    return own[0].in_(chosen) if len(own) == 1 else tuple_(*own).in_(chosen)
