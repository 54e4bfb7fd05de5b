"""Logging in by an OpenID Connect provider: away to it, and back."""

from __future__ import annotations

import re
from hmac import compare_digest

from mailvane.core.errors import MailvaneError, NotAuthenticated, NotFound, Transient
from mailvane.dashboard.oidc.attempt import Attempt, begun, read_attempt
from mailvane.dashboard.oidc.model import Provider
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit

_PATH = "/login/oidc"
_ERROR = re.compile(r"[a-z_]{1,60}")  # RFC 6749, 4.1.2.1


def begin(services: DashboardServices, visit: Visit) -> Reply:
    """To the provider. A link and no form: the policy of our pages keeps forms from ending at another server."""
    provider = _provider(services)
    attempt = begun(visit.asked("next"), visit.now, again=visit.known is not None)
    try:
        return Redirect(provider.address(attempt, _redirect_uri(visit), visit.now), attempt=attempt.text())
    except Transient as error:
        return _refused(error)


def finish(services: DashboardServices, visit: Visit) -> Reply:
    """Back from the provider, with a code or with its reason."""
    provider = _provider(services)
    try:
        attempt = _attempt(visit)
        proven = provider.proven(_code(provider, visit), attempt, _redirect_uri(visit), visit.now)
        login = services.people.enter_proven(proven, services.admission, visit.browser, visit.now)
    except (NotAuthenticated, Transient) as error:
        return _refused(error)
    if visit.known is not None:
        services.people.end(visit.known, visit.known.session.id)
    return Redirect(attempt.back, login.token, attempt="")


def _attempt(visit: Visit) -> Attempt:
    """The one that this is the answer to. Raises NotAuthenticated."""
    attempt = read_attempt(visit.attempt, visit.now)
    if attempt is None or not compare_digest(visit.asked("state").encode("utf-8", "replace"), attempt.state.encode()):
        raise NotAuthenticated("this login was not begun in this browser, or took too long: begin again")
    return attempt


def _code(provider: Provider, visit: Visit) -> str:
    """Raises NotAuthenticated."""
    issuer = visit.asked("iss")
    if issuer and not provider.is_issuer(issuer, visit.now):
        raise NotAuthenticated("the answer is of another login provider: begin again")
    code = visit.asked("code")
    if not code:
        error = visit.asked("error")
        told = f": {error}" if _ERROR.fullmatch(error) else ""
        raise NotAuthenticated(f"the login provider did not log you in{told}")
    return code


def _provider(services: DashboardServices) -> Provider:
    if services.oidc is None:
        raise NotFound("there is no such page")
    return services.oidc


def _redirect_uri(visit: Visit) -> str:
    """The same both times. Who sends another Host gets an address that the provider does not know."""
    return f"{visit.origin}/ui{_PATH}/callback"


def _refused(error: MailvaneError) -> Reply:
    return Html("login.html", {"name": "", "failure": error.message}, 503 if isinstance(error, Transient) else 403)


PAGES = (
    Page("get", _PATH, begin, role=None),
    Page("get", f"{_PATH}/callback", finish, role=None),
)
