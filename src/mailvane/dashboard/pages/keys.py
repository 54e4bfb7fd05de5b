"""Keys of a workspace: what opens its APIs. Made, given another term, taken back; a secret is shown once."""

from __future__ import annotations

from mailvane.core.errors import InvalidInput, NotFound
from mailvane.core.moments import DAY_MS
from mailvane.core.tenants.model import Key, KeyKind
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.people.service import ProofNeeded
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit

TERMS = {"": "until it is taken back", "1": "for a day", "30": "for 30 days", "90": "for 90 days", "365": "for a year"}


def listed(services: DashboardServices, visit: Visit, token: str = "", failure: str = "") -> Reply:
    """`token`: of a key that was made just now; nothing shows it again."""
    workspace = visit.workspace.id
    values = {
        "section": "Settings",
        "tab": "Keys",
        "keys": [(key, key.expired(visit.now)) for key in services.tenancy.keys(workspace)],
        "may_change": visit.visitor.may(workspace, Role.OWNER),
        "is_proven": _is_proven(visit),
        "terms": TERMS,
        "token": token,
        "failure": failure,
    }
    return Html("keys.html", values, 400 if failure else 200)


def change(services: DashboardServices, visit: Visit) -> Reply:
    """One path for all that is done here, so that whoever has to prove itself first comes back to the list."""
    visit.visitor.require_proof(visit.now)
    act = visit.entered("act")
    if act == "make":
        expires_at = _term(visit)
        issued = services.tenancy.create_key(KeyKind.WORKSPACE, visit.workspace.id, visit.now, expires_at)
        return listed(services, visit, token=issued.token)
    key = _key(services, visit)
    if act == "expire":
        services.tenancy.expire_key(key.id, _term(visit), visit.now)
    elif act == "revoke":
        services.tenancy.revoke_key(key.id)
    else:
        raise InvalidInput("choose what to do with the key")
    services.forget_keys()
    return Redirect(f"/ui/{visit.workspace.id}/settings/keys")


def _term(visit: Visit) -> int | None:
    """Until when it opens. Raises InvalidInput."""
    chosen = visit.entered("days")
    if chosen not in TERMS:
        raise InvalidInput("choose for how long it opens")
    return visit.now + int(chosen) * DAY_MS if chosen else None


def _key(services: DashboardServices, visit: Visit) -> Key:
    """One of this workspace. Raises NotFound."""
    named = {str(key.id): key for key in services.tenancy.keys(visit.workspace.id)}
    if (found := named.get(visit.entered("key"))) is None:
        raise NotFound("there is no such key")
    return found


def _is_proven(visit: Visit) -> bool:
    try:
        visit.visitor.require_proof(visit.now)
    except ProofNeeded:
        return False
    return True


_AT = "/{workspace:int}/settings/keys"
PAGES = (Page("get", _AT, listed), Page("post", _AT, change, role=Role.OWNER))
