"""Logging in: by a link that opens once, or by name and password; and what a session lets a person do.

Sessions are opened by a cookie of 256 random bits, of which only the hash is stored. It is changed at each login and
whenever the person proves again who it is.
"""

from __future__ import annotations

import re
import secrets
from hashlib import sha256

import msgspec

from mailvane.core.errors import InvalidFields, InvalidInput, NotAllowed, NotAuthenticated, NotFound
from mailvane.core.identifiers import new_id
from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS
from mailvane.core.names import checked_name
from mailvane.core.tenants.model import Workspace
from mailvane.core.tenants.store import TenantStore
from mailvane.dashboard.oidc.model import Admission, Proven
from mailvane.dashboard.people import passwords
from mailvane.dashboard.people.failures import LoginFailures
from mailvane.dashboard.people.model import Binding, Membership, Reach, Role, Session, Standing, User
from mailvane.dashboard.people.store import PeopleStore, SessionLife

LINK_MS = 15 * MINUTE_MS
INVITATION_MS = 7 * DAY_MS
PROOF_MS = 15 * MINUTE_MS  # for so long a proof covers keys, members and removal
FIRST_USER = "admin"
_LIFE = SessionLife(idle=12 * HOUR_MS, longest=30 * DAY_MS)
_SEEN_EVERY = MINUTE_MS
_SECRET_BYTES = 32
_NAME = re.compile(r"[a-z0-9][a-z0-9._+@-]{0,99}")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_AGENT_CHARACTERS = 200
_MOST_DOMAINS = 50  # that a member is bound to: each is a condition of every question


class Browser(msgspec.Struct, frozen=True):
    """Who is at the other end."""

    address: str
    agent: str


class Login(msgspec.Struct, frozen=True):
    """A session and what opens it: show it to the browser once."""

    session: Session
    token: str


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """A person with a session."""

    user: User
    session: Session
    memberships: tuple[Membership, ...]

    def role_in(self, workspace: int) -> Role | None:
        """None: the workspace is none of its business."""
        if self.user.is_server:
            return Role.OWNER
        return next((each.role for each in self.memberships if each.workspace == workspace), None)

    def reach_in(self, workspace: int) -> Reach | None:
        """What alone the person may see of a workspace, of which it is a bound member; None: all of it."""
        if self.user.is_server:
            return None
        found = next((each for each in self.memberships if each.workspace == workspace), None)
        if found is None:
            return Reach(workspace, frozenset())
        return None if found.domains is None else Reach(workspace, frozenset(found.domains))

    def may(self, workspace: int, role: Role) -> bool:
        held = self.role_in(workspace)
        return held is not None and held.covers(role)

    def require(self, workspace: int, role: Role) -> None:
        """Raises NotFound for a workspace that is not the person's, NotAllowed where more is needed."""
        held = self.role_in(workspace)
        if held is None:
            raise NotFound("there is no such page")
        if not held.covers(role):
            raise NotAllowed(
                f"only {'an' if role is not Role.VIEWER else 'a'} {role.value} of this workspace may do this"
            )

    def require_proof(self, now: int) -> None:
        """Raises ProofNeeded."""
        if self.session.proven_at <= now - PROOF_MS:
            raise ProofNeeded("enter your password again")


class ProofNeeded(NotAllowed):
    """The person has to prove again who it is."""


class TooManyFailures(NotAllowed):
    """Too many wrong passwords from there: not now."""


class People:
    """Logins and sessions."""

    def __init__(self, store: PeopleStore, tenants: TenantStore) -> None:
        self._store = store
        self._tenants = tenants
        self._failures = LoginFailures()

    def login_link(self, name: str, now: int) -> str:
        """The token of a link that logs this person in, once, within 15 minutes. Raises NotFound."""
        user = self._store.user_named(name.strip().lower())
        if user is None:
            raise NotFound(f"there is nobody named {name}")
        token = secrets.token_urlsafe(_SECRET_BYTES)
        self._store.add_link(user.id, _hash(token), now + LINK_MS)
        return token

    def first_link(self, now: int) -> str | None:
        """A link for the person who may do everything, who is made by this; None where there is one already.

        There may be others before: members, whom a login provider vouches for.
        """
        if self._store.has_server():
            return None
        self.add_user(FIRST_USER, is_server=True, now=now)
        return self.login_link(FIRST_USER, now)

    def add_user(self, name: str, *, is_server: bool, now: int) -> User:
        """Raises InvalidFields, AlreadyExists."""
        wanted = name.strip().lower()
        if not _NAME.fullmatch(wanted):
            raise InvalidFields(("name", "an address or a short name is required"))
        return self._store.add_user(wanted, is_server, now)

    def link_user(self, token: str, now: int) -> User:
        """Whose link it is; looking does not use it, as programs that look at links would. Raises NotAuthenticated."""
        user = self._store.link_user(_hash(token), now)
        if user is None:
            raise NotAuthenticated("this link was used already, or is over")
        return user

    def enter_by_link(self, token: str, browser: Browser, now: int) -> Login:
        """Raises NotAuthenticated."""
        user = self._store.use_link(_hash(token), now)
        if user is None:
            raise NotAuthenticated("this link was used already, or is over")
        return self._open(user, browser, now)

    def enter(self, name: str, password: str, browser: Browser, now: int) -> Login:
        """Raises NotAuthenticated, TooManyFailures."""
        user = self._store.user_named(name.strip().lower())
        self._check(user, password, browser, now)
        if user is None:
            raise NotAuthenticated("the name or the password is wrong")
        return self._open(user, browser, now)

    def enter_proven(self, proven: Proven, admission: Admission | None, browser: Browser, now: int) -> Login:
        """By the word of the login provider. Raises NotAuthenticated."""
        user = self._store.user_identified(proven.identity) or self._first_time(proven, admission, now)
        return self._open(user, browser, now)

    def _first_time(self, proven: Proven, admission: Admission | None, now: int) -> User:
        """The known person of the verified address, or a new member where the settings admit one."""
        if not (proven.is_verified and _ADDRESS.fullmatch(proven.email)):
            raise NotAuthenticated("the login provider vouches for no e-mail address of yours")
        user = self._store.user_named(proven.email)
        if user is None:
            user = self._admitted(proven.email, admission, now)
        if not self._store.identify(user.id, proven.identity):
            raise NotAuthenticated(f"{user.name} is known to the login provider as somebody else")
        return user

    def _admitted(self, email: str, admission: Admission | None, now: int) -> User:
        if admission is None or not admission.admits(email):
            raise NotAuthenticated(f"there is nobody named {email}: an owner can make you a member")
        place = self._tenants.workspace_named(admission.workspace)
        if place is None:
            raise NotAuthenticated(f"there is no workspace {admission.workspace}, which the settings name")
        return self.set_role(place.id, email, admission.role, now)

    def forget_identity(self, visitor: Visitor, now: int) -> None:
        """The login provider opens it no longer, until it shows the verified address anew. Raises ProofNeeded."""
        visitor.require_proof(now)
        self._store.forget_identity(visitor.user.id)

    def prove(self, visitor: Visitor, password: str, browser: Browser, now: int) -> str:
        """What opens the session from now on. Raises NotAuthenticated, TooManyFailures."""
        self._check(visitor.user, password, browser, now)
        token = secrets.token_urlsafe(_SECRET_BYTES)
        self._store.prove(visitor.session.id, _hash(token), now)
        return token

    def visitor(self, token: str, now: int, *, by_itself: bool = False) -> Visitor:
        """Raises NotAuthenticated. A page that asks by itself, with nobody looking perhaps, keeps no session alive."""
        found = self._store.session(_hash(token), now, _LIFE) if token else None
        if found is None:
            raise NotAuthenticated("log in first")
        session, user = found
        if not by_itself and session.seen_at <= now - _SEEN_EVERY:
            self._store.touch(session.id, now)
        return Visitor(user=user, session=session, memberships=tuple(self._store.memberships(user.id)))

    def set_password(self, visitor: Visitor, password: str, now: int) -> None:
        """Ends all other sessions of the person. Raises InvalidFields, ProofNeeded."""
        visitor.require_proof(now)
        self._store.save_password(visitor.user.id, passwords.hashed(password), visitor.session.id)

    def sessions(self, visitor: Visitor, now: int) -> list[Session]:
        return self._store.sessions(visitor.user.id, now, _LIFE)

    def end(self, visitor: Visitor, session: str) -> None:
        """A session of the person's own."""
        self._store.remove_session(visitor.user.id, session)

    def workspaces(self, visitor: Visitor) -> list[Workspace]:
        """Those that the person may look at, by name."""
        found = [each for each in self._tenants.workspaces() if visitor.role_in(each.id) is not None]
        return sorted(found, key=lambda each: (each.name.casefold(), each.id))

    def members(self, workspace: int) -> list[tuple[User, Membership]]:
        """By name."""
        found = {each.user: each for each in self._store.members(workspace)}
        return [(user, found[user.id]) for user in self._store.users() if user.id in found]

    def set_role(self, workspace: int, name: str, role: Role, now: int, binding: Binding | None = None) -> User:
        """Makes a person of this name where there is none. Without a binding, a member stays bound as before.

        Raises InvalidFields, NotFound.
        """
        known = self._store.user_named(name.strip().lower())
        held = self._store.memberships(known.id) if known else []
        before = next((each.domains for each in held if each.workspace == workspace), None)
        domains = before if binding is None else _names(binding.domains)
        if role is Role.OWNER and domains is not None:
            raise InvalidFields(("domains", "an owner has all of the workspace: nobody who is bound can be one"))
        user = known or self.add_user(name, is_server=False, now=now)
        self._store.save_membership(Membership(user.id, workspace, role, domains))
        return user

    def remove_member(self, workspace: int, user: int) -> None:
        self._store.remove_membership(user, workspace)

    def standings(self, visitor: Visitor, workspace: int, now: int) -> list[Standing]:
        """The members as an owner sees them, by name."""
        sessions: dict[int, list[Session]] = {}
        for each in self._store.sessions_of_members(workspace, now, _LIFE):
            sessions.setdefault(each.user, []).append(each)
        links = self._store.links_until(now)
        return [
            Standing(
                user, member, tuple(sessions.get(user.id, ())), links.get(user.id), self._is_in_charge(visitor, user)
            )
            for user, member in self.members(workspace)
        ]

    def invite(self, visitor: Visitor, workspace: int, user: int, now: int) -> str:
        """The token of a link that lets a member in who has no way in yet, once, within a week; the only one of theirs.

        For those who run the server: an owner who opened it would be whom other owners take for that person later.
        Raises InvalidFields, NotAllowed, NotFound, ProofNeeded.
        """
        if not visitor.user.is_server:
            raise NotAllowed("only those who run the server invite people")
        found = self._in_charge_of(visitor, workspace, user, now)
        if found.has_way_in:
            raise InvalidFields(("user", f"{found.name} has a way in already"))
        token = secrets.token_urlsafe(_SECRET_BYTES)
        self._store.add_link(found.id, _hash(token), now + INVITATION_MS, alone=True)
        return token

    def end_all(self, visitor: Visitor, workspace: int, user: int, now: int) -> None:
        """Every session of a member. Raises NotAllowed, NotFound, ProofNeeded."""
        self._store.remove_sessions(self._in_charge_of(visitor, workspace, user, now).id)

    def _in_charge_of(self, visitor: Visitor, workspace: int, user: int, now: int) -> User:
        """A member. Raises NotAllowed, NotFound, ProofNeeded."""
        visitor.require_proof(now)
        found = next((each for each, _ in self.members(workspace) if each.id == user), None)
        if found is None:
            raise NotFound("there is no such member")
        if not self._is_in_charge(visitor, found):
            raise NotAllowed(f"{found.name} is a member of workspaces that are not yours, too: ask who runs the server")
        return found

    def _is_in_charge(self, visitor: Visitor, user: User) -> bool:
        """Whether nothing opens to the person that the visitor does not own: it would be shut to them there, too."""
        if visitor.user.is_server:
            return True
        return not user.is_server and all(
            visitor.may(each.workspace, Role.OWNER) for each in self._store.memberships(user.id)
        )

    def _check(self, user: User | None, password: str, browser: Browser, now: int) -> None:
        if self._failures.are_too_many(browser.address, now):
            raise TooManyFailures("too many wrong passwords: wait a minute, then try again")
        if not passwords.is_right(password, user.password if user else None):
            self._failures.add(browser.address, now)
            raise NotAuthenticated("the name or the password is wrong")

    def _open(self, user: User, browser: Browser, now: int) -> Login:
        token = secrets.token_urlsafe(_SECRET_BYTES)
        session = Session(
            id=new_id(), user=user.id, created_at=now, seen_at=now, proven_at=now, address=browser.address,
            agent=browser.agent[:_AGENT_CHARACTERS],
        )  # fmt: skip
        self._store.add_session(session, _hash(token), _LIFE)
        return Login(session, token)


def _names(domains: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """As domains are stored. Raises InvalidFields."""
    if domains is None:
        return None
    if len(domains) > _MOST_DOMAINS:
        raise InvalidFields(("domains", f"at most {_MOST_DOMAINS} domains"))
    try:
        return tuple(sorted({checked_name(each) for each in domains}))
    except InvalidInput as error:
        raise InvalidFields(("domains", error.message)) from None


def _hash(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
