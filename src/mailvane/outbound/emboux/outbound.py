"""/domains/{name}/outbound, the increment and the resets. Blocking, but for the increment."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec
from litestar import Request

from mailvane.core.errors import NotFound
from mailvane.core.tenants.model import Principal
from mailvane.outbound.emboux.access import actor_of, as_said_by, is_master, owned, require_master, scope_of
from mailvane.outbound.emboux.parameters import OutboundChange, read
from mailvane.outbound.emboux.shape import (
    DOMAIN_NOT_FOUND,
    DailyReset,
    Increment,
    MonthlyReset,
    Outbound,
    monthly_reset,
    outbound,
    unprocessable,
)
from mailvane.outbound.model import Domain, OutboundStatus, SendRequest
from mailvane.outbound.services import OutboundServices
from mailvane.outbound.suppression import listed_form
from mailvane.web.endpoints import Asked, Parameter
from mailvane.web.gateway import principal_of
from mailvane.web.handlers import body_of

_LONGEST_IDEMPOTENCY_KEY = 255  # ours


def _key_parameter(told: str) -> Parameter:
    schema = {"type": "string", "minLength": 1, "maxLength": _LONGEST_IDEMPOTENCY_KEY}
    return Parameter("Idempotency-Key", told, schema, place="header")


IDEMPOTENCY_KEY = _key_parameter("A reset that was made under this key is told again, and not made again.")
INCREMENT_KEY = _key_parameter(
    "An increment that was answered under this key within a day is answered so again, and counted once. 422 when the"
    " key was used for another domain or body."
)

# ours: the vendor knows no limits of single senders.
SENDER = Parameter("sender", "The mailbox that sends: its own limit holds, too.")
RECIPIENT = Parameter("recipient", "Whom the mail goes to, once for each: none may be on the suppression list.")
LOGIN = Parameter("login", "Who logged in to send: the login's own limit holds, too.")

# The vendor's name of a field to ours, and whether it is always the master's.
_FIELDS = {
    "outbound_daily_limit": ("daily_limit", False),
    "outbound_monthly_limit": ("monthly_limit", False),
    "outbound_tier": ("tier", False),
    "outbound_enforcement": ("enforcement", False),
    "outbound_status": ("status", False),
    "warmup_profile": ("warmup_profile", True),
    "spike_max_multiplier": ("spike_max_multiplier", True),
    "outbound_hourly_fraction": ("hourly_fraction", True),
}


async def increment(services: OutboundServices, request: Request[Any, Any, Any]) -> Increment:
    """May one mail pass? Asked for every outgoing mail: it waits on the loop for its group's transaction."""
    wanted = SendRequest(domain=request.path_params["name"], workspace=scope_of(principal_of(request)))
    if sender := request.query_params.get(SENDER.name, ""):
        wanted = msgspec.structs.replace(wanted, senders=(sender.lower(),))
    if login := request.query_params.get(LOGIN.name, ""):
        wanted = msgspec.structs.replace(wanted, login=login.lower())
    if named := request.query_params.getall(RECIPIENT.name, []):
        wanted = msgspec.structs.replace(wanted, recipients=tuple(dict.fromkeys(map(listed_form, named))))
    if key := _key_of(request):
        body = (await body_of(request)).strip()
        said = [each.encode() for each in (*wanted.senders, *([f"login {wanted.login}"] if wanted.login else []))]
        said += [f"to {each}".encode() for each in wanted.recipients]
        content = blake2b(b"\0".join([body, *said]), digest_size=16).digest()
        wanted = msgspec.structs.replace(wanted, key=key, content=content)
    verdict = await services.decision_queue.decide(wanted)
    if verdict.key_reused:
        raise unprocessable(("header", INCREMENT_KEY.name), "this key was used for another request")
    if not verdict.known:
        raise NotFound(DOMAIN_NOT_FOUND)
    return Increment(verdict.domain, verdict.sent_today, verdict.sent_month, verdict.allowed, verdict.word)


def _key_of(request: Request[Any, Any, Any]) -> str | None:
    """Raises Unprocessable."""
    found = [value for name, value in request.scope["headers"] if name == b"idempotency-key"]
    return _idempotency_key(found[0].decode("latin-1")) if found else None


def show(services: OutboundServices, asked: Asked) -> Outbound:
    """Raises NotFound."""
    return _shown(services, asked, owned(services.governance, asked.principal, asked.path["name"]))


def change(services: OutboundServices, asked: Asked) -> Outbound:
    """Change what the body names, all of it or nothing. Raises Unprocessable, NotAllowed, NotFound."""
    governance, principal = services.governance, asked.principal
    domain = owned(governance, principal, asked.path["name"])
    changes = _permitted(services, principal, domain, read(OutboundChange, asked.body))
    if changes:
        said = as_said_by(principal, governance, domain, changes)
        domain = governance.change(domain.name, said, actor_of(principal), asked.now, domain.workspace)
    return _shown(services, asked, domain)


def _permitted(
    services: OutboundServices, principal: Principal, domain: Domain, given: Mapping[str, Any]
) -> dict[str, object]:
    """What is to be changed, in our words. Raises NotAllowed."""
    changes = {_FIELDS[name][0]: value for name, value in given.items()}
    if is_master(principal):
        return changes
    if any(_FIELDS[name][1] for name in given):
        require_master(principal)
    if services.clients_may_change_limits:
        return changes
    if set(changes) - {"status"}:
        require_master(principal)
    if changes.get("status") is OutboundStatus.ACTIVE:
        if domain.status is OutboundStatus.SUSPENDED:
            require_master(principal)
        return {}  # it is active: were it written, it would undo a suspension that comes at this moment
    return changes


def _shown(services: OutboundServices, asked: Asked, domain: Domain) -> Outbound:
    return outbound(domain, services.governance.usage_today(domain.name, asked.now, domain.workspace))


def reset_daily(services: OutboundServices, asked: Asked) -> DailyReset:
    """Raises NotAllowed."""
    require_master(asked.principal)
    return DailyReset(services.governance.reset_daily(asked.now))


def reset_monthly(services: OutboundServices, asked: Asked) -> MonthlyReset:
    """Freeze and reset; with the key of a reset before, that one again. Raises NotAllowed, Unprocessable."""
    require_master(asked.principal)
    key = _idempotency_key(asked.headers.get(IDEMPOTENCY_KEY.name))
    return monthly_reset(services.governance.reset_monthly(asked.now, key))


def _idempotency_key(key: str | None) -> str | None:
    if key is None:
        return None
    if not key or len(key) > _LONGEST_IDEMPOTENCY_KEY or not key.isprintable():
        raise unprocessable(
            ("header", "Idempotency-Key"), f"expected 1 to {_LONGEST_IDEMPOTENCY_KEY} visible characters"
        )
    return key
