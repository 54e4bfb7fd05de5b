"""/api-keys: customers' keys, for the master. Blocking.

Tokens stand in these paths. Nothing here puts one into a message, a log line or a label.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailvane.core.errors import AlreadyExists, InvalidInput, NotFound
from mailvane.outbound.client_keys import check_token
from mailvane.outbound.clients import ClientKey, Terms
from mailvane.outbound.emboux.access import require_master
from mailvane.outbound.emboux.domains import partner_workspace
from mailvane.outbound.emboux.parameters import KeyCreation, KeyTerms, read_moment, read_terms
from mailvane.outbound.emboux.shape import ApiKey, KeyUsage, api_key, new_domain, optional_moment, unprocessable
from mailvane.outbound.services import OutboundServices
from mailvane.web.endpoints import Asked, Parameter

SINCE = Parameter("since", "Lists what was made since this time (ISO 8601; without a zone it is UTC).")


def create(services: OutboundServices, asked: Asked) -> ApiKey:
    """Raises NotAllowed, Unprocessable, AlreadyExists."""
    require_master(asked.principal)
    given = read_terms(KeyCreation, asked.body)
    token, partner = given.pop("token"), given.pop("partner_ref")
    try:
        check_token(token)
    except InvalidInput as error:
        raise unprocessable(("body", "token"), error.message) from None
    workspace = partner_workspace(services, partner, asked.now)
    try:
        client = services.clients.issue(workspace, token, Terms(**given), asked.now)
    except AlreadyExists:
        raise AlreadyExists("API key already exists") from None  # ours: the words
    return _shown(services, client, token)


def change(services: OutboundServices, asked: Asked) -> ApiKey:
    """Raises NotAllowed, Unprocessable, NotFound."""
    require_master(asked.principal)
    token = asked.path["token"]
    changes: Mapping[str, Any] = read_terms(KeyTerms, asked.body)
    _found(services, token)
    return _shown(services, services.clients.change(token, changes), token)


def remove(services: OutboundServices, asked: Asked) -> None:
    """What the customer made stays. Raises NotAllowed, NotFound."""
    require_master(asked.principal)
    token = asked.path["token"]
    _found(services, token)
    services.clients.revoke(token)


def usage(services: OutboundServices, asked: Asked) -> KeyUsage:
    """Raises NotAllowed, Unprocessable, NotFound."""
    require_master(asked.principal)
    since = asked.query.get(SINCE.name)
    begin = None if since is None else read_moment(since, "query", "since")
    client = _found(services, asked.path["token"])
    governance, owner = services.governance, client.workspace
    domains = governance.domains(owner) if begin is None else governance.domains_made_since(owner, begin)
    return KeyUsage(
        partner_ref=_partner(services, client),
        since=optional_moment(begin),
        domains_allowed=client.terms.domains_allowed,
        domains_used=governance.domain_count(owner),
        domains=[new_domain(each) for each in domains],
    )


def _shown(services: OutboundServices, client: ClientKey, token: str) -> ApiKey:
    used = services.clients.domains_used(client.workspace)
    return api_key(client, token, _partner(services, client), used)


def _partner(services: OutboundServices, client: ClientKey) -> str:
    return services.tenancy.workspace_of(client.workspace).name


def _found(services: OutboundServices, token: str) -> ClientKey:
    try:
        return services.clients.find(token)
    except NotFound:
        raise NotFound("API key not found") from None  # ours: the words
