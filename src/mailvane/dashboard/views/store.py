"""Saved views in the ledger."""

from __future__ import annotations

import msgspec
from sqlalchemy import ColumnElement, delete, func, insert, or_, select
from sqlalchemy.exc import IntegrityError

from mailvane.core.errors import InvalidInput, NotFound
from mailvane.core.ledger.columns import plain
from mailvane.core.ledger.database import Database
from mailvane.dashboard.views.tables import saved_views

MOST = 50  # of a person in a workspace, and as many of all
_LONGEST_NAME = 60


class SavedView(msgspec.Struct, frozen=True, kw_only=True):
    """A query under a name."""

    id: str
    workspace: int
    user: int | None  # whose it is; None: of all who may look at the workspace
    name: str
    query: str
    columns: str = ""  # of the table that shows its mail, as an address has them; empty: the usual ones
    created_at: int  # milliseconds since the epoch, UTC


class ViewStore:
    """For any number of threads and processes on one ledger. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def views(self, workspace: int, user: int) -> list[SavedView]:
        """Those of the person and those of all, by name."""
        mine = or_(saved_views.c.user_id == user, saved_views.c.user_id.is_(None))
        wanted = select(saved_views).where(saved_views.c.workspace == workspace, mine)
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(func.lower(saved_views.c.name), saved_views.c.id)).all()
        return [
            SavedView(id=row.id, workspace=row.workspace, user=row.user_id, name=row.name, query=row.query,
                      columns=row.columns, created_at=row.created_at)
            for row in rows
        ]  # fmt: skip

    def add(self, view: SavedView) -> None:
        """One of the same owner and name is replaced. Raises InvalidInput, NotFound when the workspace is gone."""
        name = " ".join(plain(view.name).split())
        if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable():
            raise InvalidInput(f"name: expected 1 to {_LONGEST_NAME} letters")
        row = {"id": view.id, "workspace": view.workspace, "user_id": view.user, "name": name,
               "query": plain(view.query), "columns": plain(view.columns), "created_at": view.created_at}  # fmt: skip
        own = saved_views.c.workspace == view.workspace, _is_of(view.user)
        try:
            with self._database.write() as connection:
                connection.execute(delete(saved_views).where(*own, saved_views.c.name == name))
                if connection.execute(select(func.count()).select_from(saved_views).where(*own)).scalar_one() >= MOST:
                    raise InvalidInput(f"there are {MOST} views already: remove one first")
                connection.execute(insert(saved_views).values(row))
        except IntegrityError as error:
            raise NotFound("the workspace is gone") from error

    def remove(self, workspace: int, user: int | None, view: str) -> None:
        """One of this owner. Raises NotFound."""
        one = saved_views.c.workspace == workspace, _is_of(user), saved_views.c.id == plain(view)
        with self._database.write() as connection:
            if not connection.execute(delete(saved_views).where(*one)).rowcount:
                raise NotFound("there is no such view")


def _is_of(user: int | None) -> ColumnElement[bool]:
    return saved_views.c.user_id.is_(None) if user is None else saved_views.c.user_id == user
