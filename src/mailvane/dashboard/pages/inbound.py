"""Mail that came in: messages of every state, who wrote, the addresses that take it."""

from __future__ import annotations

from mailvane.core.errors import InvalidInput
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit
from mailvane.inbound.contacts import decide
from mailvane.inbound.model import AddressType, AuditEntry, ContactState, MessageStatus
from mailvane.inbound.questions import AddressQuestion, ContactQuestion, MessageQuestion

_ROWS = 50
_LONGEST_TEXT = 200


def messages(services: DashboardServices, visit: Visit) -> Reply:
    workspace, stores = visit.workspace.id, services.inbound.stores
    chosen, text, number = visit.asked("status"), visit.asked("q").strip()[:_LONGEST_TEXT], visit.page_number()
    status = MessageStatus(chosen) if chosen in set(MessageStatus) else None
    question = MessageQuestion(workspace=workspace, statuses=(status,) if status else None, text=text or None)
    page = stores.pages.page(question, (number - 1) * _ROWS, _ROWS)
    values = {
        **_parts(visit, "Messages", number, page.total),
        "rows": page.messages,
        "counts": stores.pages.counts(workspace),
        "chosen": status.value if status else "",
        "text": text,
    }
    return Html("inbound_messages.html", values)


def contacts(services: DashboardServices, visit: Visit) -> Reply:
    workspace, stores = visit.workspace.id, services.inbound.stores
    chosen, text, number = visit.asked("state"), visit.asked("q").strip()[:_LONGEST_TEXT], visit.page_number()
    state = ContactState(chosen) if chosen in set(ContactState) else None
    question = ContactQuestion(workspace=workspace, state=state, text=text or None)
    page = stores.contacts.page(question, (number - 1) * _ROWS, _ROWS)
    values = {
        **_parts(visit, "Contacts", number, page.total),
        "rows": page.contacts,
        "counts": stores.contacts.counts(workspace),
        "states": [each.value for each in ContactState],
        "chosen": state.value if state else "",
        "text": text,
        "may_change": visit.visitor.may(workspace, Role.OPERATOR),
    }
    return Html("contacts.html", values)


def set_contact(services: DashboardServices, visit: Visit) -> Reply:
    """Let a sender's mail pass, hold it back or treat it as before."""
    state = visit.entered("state")
    if state not in set(ContactState):
        raise InvalidInput("choose what is to become of its mail")
    entry = AuditEntry(at=visit.now, actor=visit.visitor.user.name, action="contact", subject="", detail="")
    decide(services.inbound.stores, visit.workspace.id, visit.entered("email"), {"state": ContactState(state)}, entry)
    return Redirect(f"/ui/{visit.workspace.id}/inbound/contacts")


def addresses(services: DashboardServices, visit: Visit) -> Reply:
    workspace, stores = visit.workspace.id, services.inbound.stores
    chosen, number = visit.asked("type"), visit.page_number()
    kind = AddressType(chosen) if chosen in set(AddressType) else None
    page = stores.addresses.page(AddressQuestion(workspace=workspace, type=kind), (number - 1) * _ROWS, _ROWS)
    behind = stores.addresses.by_id(sorted({one.mailbox for one in page.addresses if one.mailbox}))
    values = {
        **_parts(visit, "Addresses", number, page.total),
        "rows": page.addresses,
        "behind": {key: one.address for key, one in behind.items() if one.workspace == workspace},
        "domains": stores.domains.domains(workspace),
        "types": [each.value for each in AddressType],
        "chosen": kind.value if kind else "",
    }
    return Html("addresses.html", values)


def _parts(visit: Visit, tab: str, number: int, total: int) -> dict[str, object]:
    return {
        "section": "Inbound",
        "tab": tab,
        "total": total,
        "newer": visit.with_query(page=str(number - 1)) if number > 1 else "",
        "older": visit.with_query(page=str(number + 1)) if number * _ROWS < total else "",
    }


_AT = "/{workspace:int}/inbound"
PAGES = (
    Page("get", f"{_AT}/messages", messages),
    Page("get", f"{_AT}/contacts", contacts),
    Page("post", f"{_AT}/contacts", set_contact, role=Role.OPERATOR),
    Page("get", f"{_AT}/aliases", addresses),
)
