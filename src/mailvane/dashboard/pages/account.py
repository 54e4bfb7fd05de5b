"""A person's own page: password and sessions."""

from __future__ import annotations

from mailvane.core.errors import InvalidFields
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit


def show(services: DashboardServices, visit: Visit, failure: str = "") -> Reply:
    sessions = services.people.sessions(visit.visitor, visit.now)
    return Html("account.html", {"sessions": sessions, "failure": failure}, 400 if failure else 200)


def set_password(services: DashboardServices, visit: Visit) -> Reply:
    password = visit.entered("password")
    if password != visit.entered("again"):
        return show(services, visit, "the two passwords differ")
    try:
        services.people.set_password(visit.visitor, password, visit.now)
    except InvalidFields as error:
        return show(services, visit, error.message)
    return Redirect("/ui/account")


def end_session(services: DashboardServices, visit: Visit) -> Reply:
    services.people.end(visit.visitor, visit.entered("session"))
    return Redirect("/ui/account")


def forget_identity(services: DashboardServices, visit: Visit) -> Reply:
    services.people.forget_identity(visit.visitor, visit.now)
    return Redirect("/ui/account")


PAGES = (
    Page("get", "/account", show),
    Page("post", "/account/password", set_password),
    Page("post", "/account/identity/forget", forget_identity),
    Page("post", "/account/sessions/end", end_session),
)
