"""What the `[oidc]` table of the settings file says: who vouches for people of the dashboard. Values only.

Commands that ask a server read it, and load no dashboard: so it stands here.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from mailvane.core.errors import InvalidSetting
from mailvane.core.setting_tables import Part

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class OidcSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which provider vouches for people, and what becomes of those whom nobody has made yet."""

    issuer: Annotated[
        str,
        Meta(
            description="Issuer of the OpenID Connect provider, such as `https://login.example.net/realms/mail`;"
            " `/.well-known/openid-configuration` below it says the rest. None: nobody logs in that way."
        ),
    ] = ""
    client_id: Annotated[str, Meta(description="Name of this server at the provider.")] = ""
    client_secret_file: Annotated[
        Annotated[str, Meta(pattern="^/")] | None,
        Meta(description="File that holds the client's secret; none for a public client, which has PKCE alone."),
    ] = None
    name: Annotated[
        Annotated[str, Meta(min_length=1, max_length=40)], Meta(description="What the button calls the provider.")
    ] = "single sign-on"
    scopes: Annotated[tuple[str, ...], Meta(description="Scopes that are asked for.")] = ("openid", "email")
    new_member_role: Annotated[
        Literal["", "viewer", "operator", "owner"],
        Meta(
            description="Role of people who log in first and whom nobody has made: a member with the verified e-mail"
            " address as name. None: they are refused."
        ),
    ] = ""
    new_member_workspace: Annotated[str, Meta(description="Name of the workspace that they become members of.")] = ""
    new_member_domains: Annotated[
        tuple[str, ...],
        Meta(description="Domains of their e-mail addresses, such as `example.net`; none, any domain."),
    ] = ()


def is_safe(url: str) -> bool:
    """Whether secrets may go there: over TLS, or to this machine itself."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK))


def _check(read: OidcSettings, where: str) -> None:
    if not read.issuer:
        return
    if not is_safe(read.issuer) or "?" in read.issuer or "#" in read.issuer:
        raise InvalidSetting(f"{where}: issuer: expected an address that begins with https://")
    if not read.client_id:
        raise InvalidSetting(f"{where}: client_id: say the name of this server at the provider")
    if "openid" not in read.scopes:
        raise InvalidSetting(f"{where}: scopes: openid is missing")
    if read.new_member_role and not read.new_member_workspace:
        raise InvalidSetting(f"{where}: new_member_workspace: say which workspace new members belong to")


PART = Part(OidcSettings, check=_check)
