"""Mail that is held: each with who it says it is from and who sent it, to be let out or denied."""

from __future__ import annotations

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit
from mailvane.inbound.model import AuditEntry, Contact, ContactState, MessageStatus
from mailvane.inbound.quarantine import Decided
from mailvane.inbound.questions import MessageQuestion

_ROWS = 50
_MOST = 100


def listed(services: DashboardServices, visit: Visit, decided: list[Decided] | None = None) -> Reply:
    workspace, stores = visit.workspace.id, services.inbound.stores
    question = MessageQuestion(workspace=workspace, statuses=(MessageStatus.QUARANTINED,))
    page = stores.pages.page(question, 0, _ROWS)
    values = {
        "section": "Inbound",
        "held": page.messages,
        "total": page.total,
        "contacts": stores.contacts.by_id(workspace, sorted({one.contact for one in page.messages})),
        "counts": services.inbound.received.counts(workspace),
        "addresses": stores.domains.domains(workspace),
        "failed": [each for each in decided or () if each.refusal is not None],
        "may_change": visit.visitor.may(workspace, Role.OPERATOR),
    }
    return Html("quarantine.html", values)


def accept(services: DashboardServices, visit: Visit) -> Reply:
    ids, actor = _chosen(visit), visit.visitor.user.name
    decided = services.inbound.quarantine.accept(visit.workspace.id, ids, actor, visit.now)
    _remember(services, visit, ids, ContactState.WHITELISTED)
    return _after(services, visit, decided)


def reject(services: DashboardServices, visit: Visit) -> Reply:
    ids, actor = _chosen(visit), visit.visitor.user.name
    decided = services.inbound.quarantine.reject(visit.workspace.id, ids, actor, visit.now)
    _remember(services, visit, ids, ContactState.BLOCKED)
    return _after(services, visit, decided)


def _chosen(visit: Visit) -> list[str]:
    ids = list(dict.fromkeys(visit.form.get("message", ())))
    if not 1 <= len(ids) <= _MOST:
        raise InvalidInput(f"choose 1 to {_MOST} mails")
    return ids


def _remember(services: DashboardServices, visit: Visit, ids: list[str], state: ContactState) -> None:
    """From now on decide so about these senders, when that was wanted."""
    if not visit.entered("remember"):
        return
    workspace, stores = visit.workspace.id, services.inbound.stores

    def changed(contact: Contact) -> Contact:
        return msgspec.structs.replace(contact, state=state)

    for contact in {one.contact for one in stores.messages.by_id(workspace, ids).values()}:
        entry = AuditEntry(
            at=visit.now, actor=visit.visitor.user.name, action="contact", subject=contact, detail=state.value
        )
        stores.contacts.change(workspace, contact, changed, entry)


def _after(services: DashboardServices, visit: Visit, decided: list[Decided]) -> Reply:
    if any(each.refusal is not None for each in decided):
        return listed(services, visit, decided)
    return Redirect(f"/ui/{visit.workspace.id}/inbound/quarantine")


_LIST = "/{workspace:int}/inbound/quarantine"
PAGES = (
    Page("get", _LIST, listed),
    Page("post", f"{_LIST}/accept", accept, role=Role.OPERATOR),
    Page("post", f"{_LIST}/reject", reject, role=Role.OPERATOR),
)
