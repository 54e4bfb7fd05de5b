"""People, memberships, sessions and login links in the ledger. Nothing is cached: what one node changes all see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from mailvane.core.decoding import prepared
from mailvane.core.errors import AlreadyExists, NotFound
from mailvane.core.ledger.columns import plain
from mailvane.core.ledger.database import Database
from mailvane.dashboard.people.model import Membership, Role, Session, User
from mailvane.dashboard.people.tables import login_links, memberships, sessions, users


class SessionLife(msgspec.Struct, frozen=True):
    """How long a session opens pages. Milliseconds."""

    idle: int
    longest: int

    def lives(self, now: int) -> ColumnElement[bool]:
        return (sessions.c.seen_at > now - self.idle) & (sessions.c.created_at > now - self.longest)


class PeopleStore:
    """For any number of threads and processes on one ledger. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_user(self, name: str, is_server: bool, now: int) -> User:
        """Raises AlreadyExists."""
        fresh = User(id=0, name=name, is_server=is_server, password=None, created_at=now)
        values = {name: value for name, value in msgspec.structs.asdict(fresh).items() if name != "id"}
        try:
            with self._database.write() as connection:
                number = connection.execute(insert(users).values(values).returning(users.c.id)).scalar_one()
        except IntegrityError as error:
            raise AlreadyExists(f"there is a person named {name} already") from error
        return msgspec.structs.replace(fresh, id=number)

    def users(self) -> list[User]:
        """All, by name."""
        with self._database.read() as connection:
            return [_user(row) for row in connection.execute(select(users).order_by(users.c.name)).mappings()]

    def user(self, user: int) -> User | None:
        return self._one_user(users.c.id == user)

    def user_named(self, name: str) -> User | None:
        return self._one_user(users.c.name == name) if plain(name) == name else None

    def user_identified(self, identity: str) -> User | None:
        """The person whom the login provider knows by this issuer and subject."""
        return self._one_user(users.c.identity == identity) if plain(identity) == identity else None

    def identify(self, user: int, identity: str) -> bool:
        """From now on the login provider's word for this opens the person's account; False where it has another."""
        unset = update(users).where(users.c.id == user, users.c.identity.is_(None))
        try:
            with self._database.write() as connection:
                return bool(connection.execute(unset.values(identity=identity)).rowcount)
        except IntegrityError:  # another person has it since a moment ago
            return False

    def forget_identity(self, user: int) -> None:
        with self._database.write() as connection:
            connection.execute(update(users).where(users.c.id == user).values(identity=None))

    def _one_user(self, condition: ColumnElement[bool]) -> User | None:
        with self._database.read() as connection:
            row = connection.execute(select(users).where(condition)).mappings().one_or_none()
        return None if row is None else _user(row)

    def save_password(self, user: int, password: str, keep_session: str) -> None:
        """A new hash. Every session of the person ends, but for the one with this id."""
        with self._database.write() as connection:
            connection.execute(update(users).where(users.c.id == user).values(password=password))
            connection.execute(delete(login_links).where(login_links.c.user_id == user))
            connection.execute(delete(sessions).where(sessions.c.user_id == user, sessions.c.id != keep_session))

    def remove_user(self, user: int) -> None:
        """With sessions, links and memberships. Raises NotFound."""
        with self._database.write() as connection:
            for table in (sessions, login_links, memberships):
                connection.execute(delete(table).where(table.c.user_id == user))
            if not connection.execute(delete(users).where(users.c.id == user)).rowcount:
                raise NotFound("there is no such person")

    def memberships(self, user: int) -> list[Membership]:
        """Of a person, by workspace."""
        return self._memberships(memberships.c.user_id == user)

    def members(self, workspace: int) -> list[Membership]:
        """Of a workspace, by person."""
        return self._memberships(memberships.c.workspace == workspace)

    def _memberships(self, condition: ColumnElement[bool]) -> list[Membership]:
        order = memberships.c.workspace, memberships.c.user_id
        with self._database.read() as connection:
            rows = connection.execute(select(memberships).where(condition).order_by(*order))
            return [Membership(row.user_id, row.workspace, Role(row.role), _domains(row.domains)) for row in rows]

    def save_membership(self, membership: Membership) -> None:
        """Raises NotFound when the person or the workspace is gone."""
        bound = None if membership.domains is None else msgspec.json.encode(membership.domains).decode()
        values = {
            "user_id": membership.user, "workspace": membership.workspace, "role": membership.role.value,
            "domains": bound,
        }  # fmt: skip
        try:
            with self._database.write() as connection:
                connection.execute(self._database.upsert(memberships).values(values))
        except IntegrityError as error:
            raise NotFound("the person or the workspace is gone") from error

    def remove_membership(self, user: int, workspace: int) -> None:
        table = memberships.c
        with self._database.write() as connection:
            connection.execute(delete(memberships).where(table.user_id == user, table.workspace == workspace))

    def add_link(self, user: int, secret: bytes, expires_at: int, *, alone: bool = False) -> None:
        """A link that opens once. Alone: every other one of the person opens no more."""
        values = {"secret": secret, "user_id": user, "expires_at": expires_at}
        with self._database.write() as connection:
            if alone:
                connection.execute(delete(login_links).where(login_links.c.user_id == user))
            connection.execute(insert(login_links).values(values))

    def links_until(self, now: int) -> Mapping[int, int]:
        """By person, until when the last of their links opens."""
        wanted = select(login_links.c.user_id, func.max(login_links.c.expires_at)).group_by(login_links.c.user_id)
        with self._database.read() as connection:
            return {user: until for user, until in connection.execute(wanted) if until > now}

    def link_user(self, secret: bytes, now: int) -> User | None:
        """Whose link it is, while it may be used; it stays."""
        wanted = (
            select(users)
            .join(login_links, login_links.c.user_id == users.c.id)
            .where(login_links.c.secret == secret, login_links.c.expires_at > now)
        )
        with self._database.read() as connection:
            row = connection.execute(wanted).mappings().one_or_none()
        return None if row is None else _user(row)

    def use_link(self, secret: bytes, now: int) -> User | None:
        """Whose link it was; nobody uses it again, and links that are over are forgotten."""
        used = delete(login_links).where(login_links.c.secret == secret, login_links.c.expires_at > now)
        with self._database.write() as connection:
            user = connection.execute(used.returning(login_links.c.user_id)).scalar_one_or_none()
            connection.execute(delete(login_links).where(login_links.c.expires_at <= now))
            row = connection.execute(select(users).where(users.c.id == user)).mappings().one_or_none()
        return None if row is None else _user(row)

    def add_session(self, session: Session, secret: bytes, life: SessionLife) -> None:
        """A new one; those that are over are forgotten."""
        with self._database.write() as connection:
            connection.execute(delete(sessions).where(~life.lives(session.created_at)))
            connection.execute(insert(sessions).values(_session_row(session, secret)))

    def session(self, secret: bytes, now: int, life: SessionLife) -> tuple[Session, User] | None:
        """The one that this opens, and whose it is."""
        wanted = (
            select(
                sessions,
                users.c.name,
                users.c.is_server,
                users.c.password,
                users.c.identity,
                users.c.created_at.label("joined_at"),
            )
            .join(users, users.c.id == sessions.c.user_id)
            .where(sessions.c.secret == secret, life.lives(now))
        )
        with self._database.read() as connection:
            row = connection.execute(wanted).one_or_none()
        if row is None:
            return None
        user = User(
            id=row.user_id,
            name=row.name,
            is_server=row.is_server,
            password=row.password,
            created_at=row.joined_at,
            identity=row.identity,
        )
        return _session(row), user

    def sessions(self, user: int, now: int, life: SessionLife) -> list[Session]:
        """Those of a person that live, the one used last first."""
        wanted = select(sessions).where(sessions.c.user_id == user, life.lives(now))
        with self._database.read() as connection:
            return [_session(row) for row in connection.execute(wanted.order_by(sessions.c.seen_at.desc()))]

    def sessions_of_members(self, workspace: int, now: int, life: SessionLife) -> list[Session]:
        """Those of all members that live, the one used last first."""
        members = select(memberships.c.user_id).where(memberships.c.workspace == workspace)
        wanted = select(sessions).where(sessions.c.user_id.in_(members), life.lives(now))
        with self._database.read() as connection:
            return [_session(row) for row in connection.execute(wanted.order_by(sessions.c.seen_at.desc()))]

    def remove_sessions(self, user: int) -> None:
        """All of a person."""
        with self._database.write() as connection:
            connection.execute(delete(sessions).where(sessions.c.user_id == user))

    def touch(self, session: str, now: int) -> None:
        """It is in use."""
        with self._database.write() as connection:
            connection.execute(update(sessions).where(sessions.c.id == session).values(seen_at=now))

    def prove(self, session: str, secret: bytes, now: int) -> None:
        """The person proved again who it is; from now on another secret opens the session."""
        changed = {"proven_at": now, "seen_at": now, "secret": secret}
        with self._database.write() as connection:
            connection.execute(update(sessions).where(sessions.c.id == session).values(changed))

    def remove_session(self, user: int, session: str) -> None:
        with self._database.write() as connection:
            connection.execute(delete(sessions).where(sessions.c.user_id == user, sessions.c.id == plain(session)))

    def has_server(self) -> bool:
        """Whether there is anybody who may do everything."""
        with self._database.read() as connection:
            return connection.execute(select(users.c.id).where(users.c.is_server).limit(1)).first() is not None


def _domains(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else msgspec.json.decode(text, type=prepared(tuple[str, ...]))


def _user(row: Any) -> User:
    return User(**row)


def _session(row: Any) -> Session:
    return Session(
        id=row.id, user=row.user_id, created_at=row.created_at, seen_at=row.seen_at, proven_at=row.proven_at,
        address=row.address, agent=row.agent,
    )  # fmt: skip


def _session_row(session: Session, secret: bytes) -> dict[str, Any]:
    fields = msgspec.structs.asdict(session)
    user = fields.pop("user")
    return {**fields, "user_id": user, "secret": secret, "agent": plain(session.agent)}
