"""Filters of inbound mail in their order, and what one would have done to the mail of the last days."""

from __future__ import annotations

import msgspec

from mailvane.core.errors import InvalidInput, NotFound
from mailvane.core.identifiers import ordered_uuid
from mailvane.core.moments import DAY_MS
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit
from mailvane.inbound.addresses import canonical
from mailvane.inbound.dry_run import DAYS, dry_run
from mailvane.inbound.filter_words import COMPONENTS, OPERATORS, groups_of, words
from mailvane.inbound.filtering import check_filter
from mailvane.inbound.model import AuditEntry, Filter, FilterAction

_LONGEST_NAME = 200
_MOST_LINES = 50


class Form(msgspec.Struct, frozen=True):
    """A filter as it stands in the form; a condition a line."""

    name: str
    action: str
    every: str
    some: str
    address: str


def listed(services: DashboardServices, visit: Visit, failure: str = "") -> Reply:
    workspace, stores = visit.workspace.id, services.inbound.stores
    form = _form(visit)
    found = None
    if "if" in visit.query and not failure:
        try:
            found = dry_run(services.inbound, _drafted(services, visit, form), visit.now - DAYS * DAY_MS)
        except (InvalidInput, NotFound) as error:
            failure = error.message
    rules = stores.filters.filters(workspace)
    names = stores.addresses.by_id(sorted({one.address for one in rules if one.address}))
    values = {
        "section": "Inbound",
        "tab": "Filters",
        "rules": [(one, words(one), names[one.address].address if one.address in names else "") for one in rules],
        "form": form,
        "found": found,
        "failure": failure,
        "days": DAYS,
        "components": COMPONENTS,
        "operators": OPERATORS,
        "may_change": visit.visitor.may(workspace, Role.OPERATOR),
    }
    return Html("filters.html", values, 400 if failure else 200)


def add(services: DashboardServices, visit: Visit) -> Reply:
    try:
        made = services.inbound.stores.filters.put(_drafted(services, visit, _form(visit)))
    except (InvalidInput, NotFound) as error:
        return listed(services, visit, error.message)
    _note(services, visit, made, "created")
    return Redirect(f"/ui/{visit.workspace.id}/inbound/filters")


def remove(services: DashboardServices, visit: Visit) -> Reply:
    gone = services.inbound.stores.filters.filter(visit.workspace.id, visit.entered("filter"))
    if gone is None:
        raise NotFound("there is no such filter")
    services.inbound.stores.filters.remove(visit.workspace.id, gone.id)
    _note(services, visit, gone, "removed")
    return Redirect(f"/ui/{visit.workspace.id}/inbound/filters")


def _note(services: DashboardServices, visit: Visit, rule: Filter, what: str) -> None:
    entry = AuditEntry(
        at=visit.now, actor=visit.visitor.user.name, action="filter", subject=rule.name, detail=f"{what}: {words(rule)}"
    )
    services.inbound.stores.audit.note(visit.workspace.id, entry)


def _form(visit: Visit) -> Form:
    given = visit.form or visit.query

    def one(name: str) -> str:
        return given.get(name, ("",))[-1].strip()

    return Form(one("name"), one("action") or FilterAction.DENY.value, one("if"), one("if_any"), one("address"))


def _drafted(services: DashboardServices, visit: Visit, form: Form) -> Filter:
    """Raises InvalidInput, NotFound."""
    every, some = ([line for line in text.splitlines() if line.strip()] for text in (form.every, form.some))
    if not every and not some:
        raise InvalidInput("a filter without a condition matches nothing")
    if len(every) + len(some) > _MOST_LINES:
        raise InvalidInput(f"a filter has at most {_MOST_LINES} conditions")
    name = form.name or "this filter"
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise InvalidInput(f"a filter has a name of at most {_LONGEST_NAME} printable characters")
    if form.action not in set(FilterAction):
        raise InvalidInput("choose what becomes of the mail")
    address = None
    if form.address:
        found = services.inbound.stores.addresses.address(visit.workspace.id, canonical(form.address))
        if found is None:
            raise NotFound(f"there is no address {form.address}")
        address = found.id
    rule = Filter(
        id=ordered_uuid(visit.now), workspace=visit.workspace.id, name=name, action=FilterAction(form.action),
        groups=groups_of(every, some), address=address, created_at=visit.now,
    )  # fmt: skip
    check_filter(rule)
    return rule


PAGES = (
    Page("get", "/{workspace:int}/inbound/filters", listed),
    Page("post", "/{workspace:int}/inbound/filters", add, role=Role.OPERATOR),
    Page("post", "/{workspace:int}/inbound/filters/remove", remove, role=Role.OPERATOR),
)
