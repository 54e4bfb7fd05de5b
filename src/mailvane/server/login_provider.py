"""The login provider of the settings, where they name one. Its libraries come with an extra."""

from __future__ import annotations

from urllib.parse import urlsplit

from mailvane.core.egress import EgressGuard
from mailvane.core.extras import needing
from mailvane.core.oidc_settings import OidcSettings
from mailvane.dashboard.oidc.model import Admission, Provider
from mailvane.dashboard.people.model import Role
from mailvane.server.settings import Settings


def login_provider(settings: Settings) -> Provider | None:
    """The issuer may be at a private address, as the operator wrote it; what it names, only at a public one or one of
    `allowed_targets`. Raises NotPossible without the libraries."""
    oidc = settings.oidc
    if not oidc.issuer:
        return None
    with needing("oidc", "authlib", "joserfc"):
        from mailvane.dashboard.oidc.provider import OidcProvider  # noqa: PLC0415
    issuer = urlsplit(oidc.issuer).hostname or ""
    return OidcProvider(oidc, EgressGuard((issuer, *settings.notify.allowed_targets)))


def admission(settings: OidcSettings) -> Admission | None:
    """None: people whom nobody has made are refused."""
    if not settings.new_member_role:
        return None
    return Admission(
        role=Role(settings.new_member_role),
        workspace=settings.new_member_workspace,
        domains=settings.new_member_domains,
    )
