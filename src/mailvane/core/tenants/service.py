"""Who may do what: workspaces, their relays, and the keys that open them.

Nothing is cached, so a change made by one process holds in every other at once. What a key proved is remembered above,
for a second at most (`web.gateway`).
"""

from __future__ import annotations

import logging
import re
import secrets
from decimal import Decimal
from hmac import compare_digest

import msgspec

from mailvane.core.errors import (
    AlreadyExists,
    InvalidInput,
    KeyExpired,
    MisnamedWorkspace,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    StoreUnavailable,
    UnknownWorkspace,
)
from mailvane.core.moments import MINUTE_MS
from mailvane.core.tenants.model import Key, KeyKind, Principal, Relay, Workspace
from mailvane.core.tenants.store import TenantStore

log = logging.getLogger(__name__)

PREFIXES = {
    KeyKind.WORKSPACE: "sk_",
    KeyKind.PLATFORM: "sk_user_",
    KeyKind.CLIENT: "ck_",  # ours: no page shows what such a token looks like
}
_SECRET_BYTES = 32
_NAME_CHARACTERS = 200
_LONGEST_DAYS = 36_500
LAST_BILLING_DAY = 28
_LAST_MOMENT = 253_402_300_800_000  # the year 10000
_HIGHEST_PRICE = Decimal(10**9)
_USE_KEPT_MS = MINUTE_MS  # a write a minute and key at most, however busy it is


class IssuedKey(msgspec.Struct, frozen=True):
    """A new key and its secret, which exists nowhere else: show it once."""

    key: Key
    token: str


class Tenancy:
    """Workspaces, relays, keys, and what a presented key proves."""

    def __init__(self, tenants: TenantStore, master_token: str) -> None:
        self._tenants = tenants
        self._master_token = master_token.encode()

    def workspaces(self) -> list[Workspace]:
        return self._tenants.workspaces()

    def create_workspace(self, name: str, now: int) -> Workspace:
        """Raises InvalidInput, AlreadyExists."""
        stripped = _printable(name.strip(), "the name of a workspace")
        if not stripped:
            raise InvalidInput("a workspace needs a name")
        return self._tenants.add_workspace(stripped, now)

    def workspace(self, name: str) -> Workspace:
        """The workspace of that name. Raises NotFound."""
        found = self._find(name)
        if found is None:
            raise NotFound(f"there is no workspace named {name!r}")
        return found

    def workspace_of(self, workspace: int) -> Workspace:
        """The workspace of that id. Raises NotFound."""
        found = self._tenants.workspace(workspace)
        if found is None:
            raise UnknownWorkspace(f"there is no workspace {workspace}")
        return found

    def ensure_workspace(self, name: str, now: int) -> Workspace:
        """The workspace of that name, made if it is missing; two processes may ask at once."""
        found = self._find(name)
        if found is not None:
            return found
        try:
            return self.create_workspace(name, now)
        except AlreadyExists:
            return self.workspace(name)

    def keep(self, name: str, days: int) -> Workspace:
        """Keep the mail events of a workspace for so many days, 0 for ever. Raises InvalidInput, NotFound.

        This rules events to come; those stored already keep their term until the mail log is told.
        """
        if not 0 <= days <= _LONGEST_DAYS:
            raise InvalidInput(f"events are kept for 1 to {_LONGEST_DAYS} days, or for ever with 0")
        changed = msgspec.structs.replace(self.workspace(name), retention_days=days)
        self._tenants.save_workspace(changed)
        return changed

    def create_relay(self, workspace: int, comment: str, now: int) -> Relay:
        """Raises InvalidInput, NotFound."""
        return self._tenants.add_relay(workspace, _printable(comment.strip(), "the comment"), now)

    def relays(self, workspace: int) -> list[Relay]:
        """All of a workspace, those that no longer send too."""
        return self._tenants.relays(workspace)

    def relay(self, relay: int) -> Relay:
        """The relay of that id in whichever workspace. For operators only. Raises NotFound."""
        found = self._tenants.relay(relay)
        if found is None:
            raise NotFound(f"there is no relay {relay}")
        return found

    def change_relay(self, relay: Relay) -> Relay:
        """Store changed comment, activity, billing day or price. Raises InvalidInput, NotFound."""
        changed = msgspec.structs.replace(relay, comment=_printable(relay.comment.strip(), "the comment"))
        if not 1 <= relay.billing_day <= LAST_BILLING_DAY:
            raise InvalidInput(f"the billing day is a day of every month: 1 to {LAST_BILLING_DAY}")
        for amount in (relay.price.base, relay.price.per_thousand):
            if not amount.is_finite() or not 0 <= amount <= _HIGHEST_PRICE or len(str(amount)) > 40:
                raise InvalidInput("a price is an amount of money, not below zero")
        if not re.fullmatch("[A-Z]{3}", relay.price.currency):
            raise InvalidInput("a currency is named by its three letters, such as USD")
        self._tenants.save_relay(changed)
        return changed

    def active_relays(self, workspace: int) -> list[Relay]:
        return [relay for relay in self._tenants.relays(workspace) if relay.active]

    def relay_of(self, workspace: int, relay: int | None = None) -> Relay:
        """The active relay of that id, or the first one when none is named. Raises NotFound."""
        active = self.active_relays(workspace)
        found = next((each for each in active if relay is None or each.id == relay), None)
        if found is None:
            missing = "no active relay" if relay is None else f"no active relay {relay}"
            hint = "" if active else ": create one with `mailvane relay create`"
            raise NotFound(f"the workspace has {missing}{hint}")
        return found

    def create_key(self, kind: KeyKind, workspace: int | None, now: int, expires_at: int | None = None) -> IssuedKey:
        """Raises InvalidInput, NotFound."""
        if kind not in PREFIXES:
            raise InvalidInput("the master token is a setting: it cannot be made as a key")
        if (kind is KeyKind.PLATFORM) != (workspace is None):
            raise InvalidInput("a platform key spans workspaces; every other key belongs to one")
        token = PREFIXES[kind] + secrets.token_urlsafe(_SECRET_BYTES)
        _check_expiry(expires_at, now)
        return IssuedKey(self._tenants.add_key(kind, workspace, token, now, expires_at), token)

    def keys(self, workspace: int | None = None) -> list[Key]:
        """Those of a workspace, or all: what is known of them, never their secrets."""
        return self._tenants.keys(workspace)

    def key(self, key: int, workspace: int | None = None) -> Key:
        """The key of that id, if it is one of the workspace's; None: of any. Raises NotFound."""
        found = self._tenants.key_numbered(key)
        if found is None or (workspace is not None and found.workspace != workspace):
            raise NotFound(f"there is no key {key}")
        return found

    def expire_key(self, key: int, expires_at: int | None, now: int) -> Key:
        """Let it open until then; None: until it is revoked. Raises InvalidInput, NotFound."""
        _check_expiry(expires_at, now)
        return self._tenants.expire_key(key, expires_at)

    def revoke_key(self, key: int) -> None:
        """It opens nothing any more; what was done with it stays. Raises NotFound."""
        self._tenants.remove_key(key)

    def authenticate(self, token: str, now: int, workspace: str | None = None) -> Principal:
        """Who presents this token, acting on the workspace that the request names, if it names one.

        Raises NotAuthenticated, KeyExpired, InvalidInput, NotFound, NotAllowed.
        """
        principal = self._bearer(token, now)
        if not workspace:
            return principal
        if not (workspace.isascii() and workspace.isdigit() and len(workspace) <= 18):
            raise MisnamedWorkspace("the workspace is named by its id, a whole number")
        wanted = int(workspace)
        if principal.workspace is None:
            self.workspace_of(wanted)
            return msgspec.structs.replace(principal, workspace=wanted)
        if principal.workspace != wanted:
            raise NotAllowed("this key belongs to another workspace")
        return principal

    def _bearer(self, token: str, now: int) -> Principal:
        presented = token.encode("utf-8", "surrogatepass")
        if self._master_token and compare_digest(presented, self._master_token):
            return Principal(KeyKind.MASTER, None)
        key = self._tenants.key(token) if token else None
        if key is None:
            raise NotAuthenticated
        if key.expired(now):
            raise KeyExpired
        self._note_use(key, now)
        return Principal(key.kind, key.workspace, key.id)

    def _note_use(self, key: Key, now: int) -> None:
        if key.last_used_at is not None and now - key.last_used_at < _USE_KEPT_MS:
            return
        try:
            self._tenants.key_used(key.id, now)
        except StoreUnavailable as error:  # a full disk keeps nobody from reading
            log.warning("the last use of key %d was not kept: %s", key.id, error)

    def _find(self, name: str) -> Workspace | None:
        return self._tenants.workspace_named(name.strip())


def _check_expiry(expires_at: int | None, now: int) -> None:
    if expires_at is not None and not now < expires_at < _LAST_MOMENT:
        raise InvalidInput("a key expires in the future: name a time to come, or revoke the key")


def _printable(text: str, what: str) -> str:
    if len(text) > _NAME_CHARACTERS:
        raise InvalidInput(f"{what} has at most {_NAME_CHARACTERS} characters")
    if not text.isprintable():
        raise InvalidInput(f"{what} holds a character that cannot be shown")
    return text
