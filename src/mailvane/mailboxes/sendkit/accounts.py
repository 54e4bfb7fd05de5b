"""Whose key it is, and which workspaces it opens. Blocking."""

from __future__ import annotations

from mailvane.core.errors import NotAllowed
from mailvane.core.tenants.model import KeyKind
from mailvane.mailboxes.sendkit import shape
from mailvane.mailboxes.services import MailboxServices
from mailvane.web.endpoints import Asked


def account(services: MailboxServices, asked: Asked) -> shape.Answer[shape.Account]:
    """Of a key that spans workspaces. Raises NotAllowed."""
    if asked.principal.kind is KeyKind.WORKSPACE:
        raise NotAllowed("a workspace key has no account")
    memberships = [
        shape.Membership(str(one.id), "owner", shape.moment(one.created_at)) for one in services.tenancy.workspaces()
    ]
    return shape.ok(shape.Account(shape.OWNER, "Mailvane", "", None, "starter", memberships))


def workspaces(services: MailboxServices, asked: Asked) -> shape.Answer[list[shape.WorkspaceObject]]:
    """All of them, or the one that the key belongs to (# ours)."""
    found = services.tenancy.workspaces()
    if asked.principal.kind is KeyKind.WORKSPACE:
        found = [one for one in found if one.id == asked.principal.workspace]
    return shape.ok([shape.workspace(one) for one in found])
