"""/api-keys: customers' keys, for the master. Blocking; the caller brings the thread.

Tokens stand in these paths. Nothing here puts one into a message, a log line or a label.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailvane.core.errors import AlreadyExists, InvalidInput, NotFound
from mailvane.core.tenants.model import Principal
from mailvane.outbound.client_keys import check_token
from mailvane.outbound.clients import ClientKey, Terms
from mailvane.outbound.emboux.access import require_master
from mailvane.outbound.emboux.domains import partner_workspace
from mailvane.outbound.emboux.parameters import KeyCreation, KeyTerms, read_moment, read_terms
from mailvane.outbound.emboux.shape import KeyUsage, api_key, encoded, new_domain, optional_moment, unprocessable
from mailvane.outbound.services import OutboundServices


def create(services: OutboundServices, principal: Principal, body: bytes) -> bytes:
    """Raises NotAllowed, Unprocessable, AlreadyExists."""
    require_master(principal)
    given = read_terms(KeyCreation, body)
    token, partner = given.pop("token"), given.pop("partner_ref")
    _check(token)
    workspace = partner_workspace(services, partner)
    try:
        client = services.clients.issue(workspace, token, Terms(**given), services.clock())
    except AlreadyExists:
        raise AlreadyExists("API key already exists") from None  # ours: the words
    return _shown(services, client, token)


def change(services: OutboundServices, principal: Principal, token: str, body: bytes) -> bytes:
    """Raises NotAllowed, Unprocessable, NotFound."""
    require_master(principal)
    changes: Mapping[str, Any] = read_terms(KeyTerms, body)
    _found(services, token)
    return _shown(services, services.clients.change(token, changes), token)


def remove(services: OutboundServices, principal: Principal, token: str) -> bytes:
    """What the customer made stays. Raises NotAllowed, NotFound."""
    require_master(principal)
    _found(services, token)
    services.clients.revoke(token)
    return b""


def usage(services: OutboundServices, principal: Principal, token: str, since: str | None) -> bytes:
    """Raises NotAllowed, Unprocessable, NotFound."""
    require_master(principal)
    begin = None if since is None else read_moment(since, "query", "since")
    client = _found(services, token)
    governance, owner = services.governance, client.workspace
    domains = governance.domains(owner) if begin is None else governance.domains_made_since(owner, begin)
    told = KeyUsage(
        partner_ref=_partner(services, client),
        since=optional_moment(begin),
        domains_allowed=client.terms.domains_allowed,
        domains_used=governance.domain_count(owner),
        domains=[new_domain(each) for each in domains],
    )
    return encoded(told)


def _shown(services: OutboundServices, client: ClientKey, token: str) -> bytes:
    used = services.clients.domains_used(client.workspace)
    return encoded(api_key(client, token, _partner(services, client), used))


def _partner(services: OutboundServices, client: ClientKey) -> str:
    return services.tenancy.workspace_of(client.workspace).name


def _found(services: OutboundServices, token: str) -> ClientKey:
    try:
        return services.clients.find(token)
    except NotFound:
        raise NotFound("API key not found") from None  # ours: the words


def _check(token: str) -> None:
    try:
        check_token(token)
    except InvalidInput as error:
        raise unprocessable(("body", "token"), error.message) from None
