"""/domains: which there are, whose they are, whether they are stopped. Blocking."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mailvane.core.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound, NotPossible
from mailvane.core.tenants.model import KeyKind
from mailvane.outbound.emboux.access import actor_of, as_said_by, is_master, owned, require_master, scope_of
from mailvane.outbound.emboux.parameters import DomainApproval, DomainCreation, DomainOwner, read
from mailvane.outbound.emboux.shape import (
    DOMAIN_NOT_FOUND,
    MASTER_REQUIRED,
    Approval,
    Lifecycle,
    NewDomain,
    Owner,
    new_domain,
    unprocessable,
)
from mailvane.outbound.model import Domain
from mailvane.outbound.services import OutboundServices
from mailvane.web.endpoints import Asked


def listed(services: OutboundServices, asked: Asked) -> list[NewDomain]:
    """The domains that the key opens, the newest first."""
    found = services.governance.domains(scope_of(asked.principal))
    return [new_domain(each) for each in found]


def create(services: OutboundServices, asked: Asked) -> NewDomain:
    """Raises Unprocessable, AlreadyExists, QuotaExceeded."""
    given = read(DomainCreation, asked.body)
    workspace = _home(services, asked, given.get("partner_ref"))
    try:
        domain = _created(services, asked, given["name"], workspace)
    except AlreadyExists:
        raise AlreadyExists("Domain already exists") from None
    except InvalidInput as error:
        raise unprocessable(("body", "name"), error.message) from None
    return new_domain(domain)


def _created(services: OutboundServices, asked: Asked, name: str, workspace: int | None) -> Domain:
    principal, now = asked.principal, asked.now
    approved = is_master(principal) or services.trust_new_domains
    if principal.kind is KeyKind.CLIENT and principal.key is not None and workspace is not None:
        return services.clients.create_domain(principal.key, name, workspace, now, approved=approved)
    return services.governance.create(name, workspace, now, actor=actor_of(principal), approved=approved)


def _home(services: OutboundServices, asked: Asked, partner: str | None) -> int | None:
    """Where a new domain belongs, None for nobody in particular; only the master may say."""
    scope = scope_of(asked.principal)
    if is_master(asked.principal) and partner:
        return partner_workspace(services, partner, asked.now)
    return scope


def partner_workspace(services: OutboundServices, partner: str, now: int) -> int:
    """The vendor's partner is our workspace; one that is not known yet is made. Raises Unprocessable."""
    try:
        return services.tenancy.ensure_workspace(partner, now).id
    except InvalidInput as error:
        raise unprocessable(("body", "partner_ref"), error.message) from None


def remove(services: OutboundServices, asked: Asked) -> None:
    """Raises NotFound, NotAllowed: whoever may not lift a suspension may not remove a suspended domain either."""
    principal = asked.principal
    domain = owned(services.governance, principal, asked.path["name"])
    lifts = is_master(principal) or services.clients_may_change_limits
    try:
        services.governance.remove(
            domain.name, actor_of(principal), asked.now, workspace=domain.workspace, stopped_too=lifts
        )
    except NotAllowed:
        raise NotAllowed(MASTER_REQUIRED) from None


def move(services: OutboundServices, asked: Asked) -> Owner:
    """Give a domain to another partner, who must have a key to reach it with, and approve it.

    Raises NotAllowed, NotFound, AlreadyExists.
    """
    principal, now = asked.principal, asked.now
    require_master(principal)
    partner = read(DomainOwner, asked.body)["partner_ref"]
    domain = owned(services.governance, principal, asked.path["name"])
    try:
        workspace = services.tenancy.workspace(partner).id
    except NotFound:
        workspace = None
    if workspace is None or not services.clients.any_opens(workspace, now):
        raise NotPossible("Partner has no active API key")  # ours: the words
    with _said_to_exist():
        services.governance.change(domain.name, {"workspace": workspace}, actor_of(principal), now, domain.workspace)
    return Owner(domain.name, partner.strip())


def approve(services: OutboundServices, asked: Asked) -> Approval:
    """The master says that a domain which a customer made is that customer's. # ours

    Raises NotAllowed, NotFound, AlreadyExists, Unprocessable.
    """
    principal = asked.principal
    require_master(principal)
    partner = read(DomainApproval, asked.body).get("partner_ref")
    governance = services.governance
    workspace = _known_partner(services, partner) if partner else scope_of(principal)
    try:
        with _said_to_exist():
            domain = governance.approve(asked.path["name"], actor_of(principal), asked.now, workspace)
    except NotFound:
        raise NotFound(DOMAIN_NOT_FOUND) from None
    except InvalidInput as error:
        raise unprocessable(("body", "partner_ref"), error.message) from None
    return Approval(domain.name, approved=True, message="Domain approved")


def _known_partner(services: OutboundServices, partner: str) -> int:
    try:
        return services.tenancy.workspace(partner).id
    except NotFound:
        raise NotFound(DOMAIN_NOT_FOUND) from None


@contextmanager
def _said_to_exist() -> Iterator[None]:
    try:
        yield
    except AlreadyExists:
        raise AlreadyExists("Domain belongs to another partner") from None  # ours: the words


def suspend(services: OutboundServices, asked: Asked) -> Lifecycle:
    """Stop the whole domain. Raises NotAllowed, NotFound."""
    return _turn(services, asked, closed=True)


def activate(services: OutboundServices, asked: Asked) -> Lifecycle:
    """Raises NotAllowed, NotFound."""
    return _turn(services, asked, closed=False)


def _turn(services: OutboundServices, asked: Asked, *, closed: bool) -> Lifecycle:
    principal = asked.principal
    if not services.clients_may_change_limits:
        require_master(principal)  # ours: whoever is stopped for not paying must not start itself
    domain = owned(services.governance, principal, asked.path["name"])
    changes = as_said_by(principal, services.governance, domain, {"closed": closed})
    services.governance.change(domain.name, changes, actor_of(principal), asked.now, domain.workspace)
    message = "Domain suspended" if closed else "Domain activated"
    return Lifecycle(domain.name, suspended=closed, message=message)
