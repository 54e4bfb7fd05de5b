"""Logging in and out."""

from __future__ import annotations

from mailvane.core.errors import NotAuthenticated
from mailvane.dashboard.oidc.attempt import HOME, local_path
from mailvane.dashboard.people.service import TooManyFailures
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit


def ask(_services: DashboardServices, visit: Visit) -> Reply:
    if visit.known is not None:
        return Redirect(HOME)
    return Html("login.html", {"name": "", "failure": ""})


def enter(services: DashboardServices, visit: Visit) -> Reply:
    name = visit.entered("name")
    try:
        login = services.people.enter(name, visit.entered("password"), visit.browser, visit.now)
    except (NotAuthenticated, TooManyFailures) as error:
        status = 429 if isinstance(error, TooManyFailures) else 403
        return Html("login.html", {"name": name, "failure": error.message}, status)
    return Redirect(HOME, login.token)


def ask_link(services: DashboardServices, visit: Visit) -> Reply:
    """A button stands before it: programs that follow links in mail and chat do not use it up."""
    try:
        user = services.people.link_user(visit.path["once"], visit.now)
    except NotAuthenticated as error:
        return Html("login.html", {"name": "", "failure": error.message}, 403)
    return Html("login_link.html", {"user": user, "once": visit.path["once"]})


def enter_by_link(services: DashboardServices, visit: Visit) -> Reply:
    try:
        login = services.people.enter_by_link(visit.path["once"], visit.browser, visit.now)
    except NotAuthenticated as error:
        return Html("login.html", {"name": "", "failure": error.message}, 403)
    return Redirect(HOME, login.token)


def leave(services: DashboardServices, visit: Visit) -> Reply:
    if visit.known is not None:
        services.people.end(visit.known, visit.known.session.id)
    return Redirect("/ui/login", token="")


def prove(services: DashboardServices, visit: Visit) -> Reply:
    """The password again, then back to where it was asked for."""
    back = local_path(visit.entered("back"))
    try:
        token = services.people.prove(visit.visitor, visit.entered("password"), visit.browser, visit.now)
    except (NotAuthenticated, TooManyFailures) as error:
        return Html("prove.html", {"back": back, "failure": error.message}, 403)
    return Redirect(back, token)


PAGES = (
    Page("get", "/login", ask, role=None),
    Page("post", "/login", enter, role=None),
    Page("get", "/login/{once:str}", ask_link, role=None),
    Page("post", "/login/{once:str}", enter_by_link, role=None),
    Page("post", "/logout", leave, role=None),
    Page("post", "/prove", prove),
)
