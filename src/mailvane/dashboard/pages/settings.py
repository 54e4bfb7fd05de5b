"""A workspace's settings: who may look, where alerts tell, how long mail events are kept."""

from __future__ import annotations

from mailvane.core.errors import InvalidFields, NotFound
from mailvane.dashboard.pages.told import channel_names, place
from mailvane.dashboard.people.model import Binding, Role
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Redirect, Reply, Visit
from mailvane.notify.api.channels import shown

_SHOWN = 4  # characters of a secret


def members(services: DashboardServices, visit: Visit, failure: str = "", invitation: str = "") -> Reply:
    """`invitation`: a link that was made just now; nothing shows it again."""
    values = {
        **_of(visit, "Members"),
        "members": services.people.standings(visit.visitor, visit.workspace.id, visit.now),
        "roles": [each.value for each in Role],
        "failure": failure,
        "invitation": invitation,
    }
    return Html("members.html", values, 400 if failure else 200)


def set_member(services: DashboardServices, visit: Visit) -> Reply:
    """Gives a person this role; a name that nobody has becomes a new person, who needs a login link."""
    visit.visitor.require_proof(visit.now)
    role = visit.entered("role")
    if role not in set(Role):
        return members(services, visit, "choose a role")
    names = tuple(visit.entered("domains").replace(",", " ").split())
    binding = Binding(names if visit.entered("bound") else None) if "domains" in visit.form else None
    if names and not visit.entered("bound"):
        return members(services, visit, "domains are named, and nobody would be bound to them: say that they are all")
    try:
        services.people.set_role(visit.workspace.id, visit.entered("name"), Role(role), visit.now, binding)
    except InvalidFields as error:
        return members(services, visit, error.message)
    return Redirect(f"/ui/{visit.workspace.id}/settings/members")


def access(services: DashboardServices, visit: Visit) -> Reply:
    """Invites a member by a link, or logs them out."""
    user = _member(services, visit)
    if visit.entered("act") == "end":
        services.people.end_all(visit.visitor, visit.workspace.id, user, visit.now)
        return Redirect(f"/ui/{visit.workspace.id}/settings/members")
    try:
        token = services.people.invite(visit.visitor, visit.workspace.id, user, visit.now)
    except InvalidFields as error:
        return members(services, visit, error.message)
    return members(services, visit, invitation=f"{visit.origin}/ui/login/{token}")


def _member(services: DashboardServices, visit: Visit) -> int:
    """The person that the form names. Raises NotFound."""
    known = {str(user.id): user.id for user, _ in services.people.members(visit.workspace.id)}
    user = known.get(visit.entered("user"))
    if user is None:
        raise NotFound("there is no such member")
    return user


def remove_member(services: DashboardServices, visit: Visit) -> Reply:
    visit.visitor.require_proof(visit.now)
    user = _member(services, visit)
    services.people.remove_member(visit.workspace.id, user)
    if user == visit.visitor.user.id and not visit.visitor.user.is_server:
        return Redirect("/ui/workspaces")
    return Redirect(f"/ui/{visit.workspace.id}/settings/members")


def telling(services: DashboardServices, visit: Visit) -> Reply:
    """Where alerts tell; secrets by their last characters only."""
    workspace = visit.workspace.id
    names = channel_names(services, visit)
    targets = [
        (place(each.channel, each.target, names), each.channel.value, each)
        for each in services.notify.outbox.targets(workspace)
    ]
    secrets = [
        (one.secret[-_SHOWN:], one.created_at, one.expires_at)
        for one in services.notify.channels.signing_secrets(workspace, visit.now)
    ]
    return Html(
        "telling.html", {**_of(visit, "Telling"), **_channels(services, visit), "targets": targets, "secrets": secrets}
    )


def _channels(services: DashboardServices, visit: Visit) -> dict[str, object]:
    return {
        "channels": [shown(each) for each in services.notify.named.all(visit.workspace.id)],
        "zone_name": str(services.zone),
        "may_test": visit.visitor.may(visit.workspace.id, Role.OPERATOR),
    }


def test_channel(services: DashboardServices, visit: Visit) -> Reply:
    """Tell a channel that it can be told; how that went stands with its message."""
    channel = services.notify.named.named(visit.workspace.id, visit.path["channel"])
    services.reputation.alerting.test_channel(visit.workspace.id, channel, visit.now)
    return Redirect(f"/ui/{visit.workspace.id}/alerts/told")


def rotate(services: DashboardServices, visit: Visit) -> Reply:
    """Another secret that webhooks are signed with; the former signs beside it for a day."""
    visit.visitor.require_proof(visit.now)
    services.notify.signing.rotate(visit.workspace.id, visit.now)
    return Redirect(f"/ui/{visit.workspace.id}/settings/telling")


def retention(services: DashboardServices, visit: Visit) -> Reply:
    return Html("retention.html", {**_of(visit, "Retention"), "inbound_days": services.inbound.retention_days})


def _of(visit: Visit, tab: str) -> dict[str, object]:
    return {"section": "Settings", "tab": tab, "may_change": visit.visitor.may(visit.workspace.id, Role.OWNER)}


_AT = "/{workspace:int}/settings"
PAGES = (
    Page("get", f"{_AT}/members", members),
    Page("post", f"{_AT}/members", set_member, role=Role.OWNER),
    Page("post", f"{_AT}/members/access", access, role=Role.OWNER),
    Page("post", f"{_AT}/members/remove", remove_member, role=Role.OWNER),
    Page("get", f"{_AT}/telling", telling),
    Page("post", f"{_AT}/telling/rotate", rotate, role=Role.OWNER),
    Page("post", f"{_AT}/telling/{{channel:str}}/test", test_channel, role=Role.OPERATOR),
    Page("get", f"{_AT}/retention", retention),
)
