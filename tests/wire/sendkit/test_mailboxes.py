"""The SendKit API over HTTP, as its pages tell it: shapes, units, keys, dates, pages, refusals."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from msgspec import structs

from mailvane.core.moments import DAY_MS
from mailvane.mailboxes.health import DnsHealth, MxHealth, RecordHealth, RecordStatus
from mailvane.mailboxes.model import Warmup, campaign_id, mailbox_id
from mailvane.maillog.model import EventType, MailEvent
from mailvane.maillog.queries import EngagementCounts, EngagementQuestion
from tests.wire.world import NOW, World, accepted, ended, tenant

MIDNIGHT = NOW // DAY_MS * DAY_MS
ANN, BOB = "ann@ours.example", "bob@ours.example"
FORBIDDEN = {"error": "Forbidden", "message": "You don't have permission to access this resource", "code": 403}
NOT_FOUND = {"error": "Not Found", "message": "The requested resource was not found", "code": 404}


def mail(world: World, number: int, sender: str, at: int, **facts: Any) -> list[MailEvent]:
    first = structs.replace(
        accepted(world.ours, "client@isp.example", number=number), accepted_at=at, at=at, header_from=sender, **facts
    )
    return [first, ended(first)]


def reaction(event: MailEvent, kind: EventType, **more: Any) -> MailEvent:
    return MailEvent(
        relay=event.relay, accepted_at=event.accepted_at, number=event.number, type=kind, at=event.accepted_at + 9,
        recipient=event.recipient, **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def world(shared_world: World) -> World:
    """Ann: four mails of two days, one of them today; Bob: one, of yesterday."""
    spring = {"campaign": "spring"}
    first = mail(shared_world, 1, "Ann@ours.example", MIDNIGHT, **spring)
    last = mail(shared_world, 2, ANN, MIDNIGHT - 1, **spring, step=1)
    second = mail(shared_world, 3, ANN, MIDNIGHT - DAY_MS, **spring, sequence="followup")
    other = mail(shared_world, 4, ANN, MIDNIGHT - DAY_MS - 1)
    bobs = mail(shared_world, 5, BOB, MIDNIGHT - DAY_MS + 1)
    received = structs.replace(ended(bobs[0]), recipient=ANN)
    opened = reaction(first[0], EventType.OPENED)
    events = [*first, *last, *second, *other, *bobs, received, opened, opened]
    events += [reaction(last[0], kind) for kind in (EventType.OPENED, EventType.CLICKED, EventType.REPLIED)]
    events += [
        reaction(last[0], EventType.TAGGED, positive=True),
        reaction(second[0], EventType.OPENED, automatic=True),
    ]
    events += [ended(other[0], EventType.BOUNCED, 550, "550 5.1.1 No such user")]
    shared_world.record(shared_world.ours, *events)
    return shared_world


def get(world: World, path: str, **headers: str) -> httpx.Response:
    return world.client.get(f"/v1{path}", headers=headers or world.ours.headers)


def data(world: World, path: str, **headers: str) -> Any:
    answer = get(world, path, **headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["success"] is True
    return answer.json()["data"]


def test_mailbox_performance_is_the_documented_object(world: World) -> None:
    first, second = data(world, "/analytics/mailboxes")
    assert first == {
        "_id": mailbox_id(world.ours.workspace.id, ANN),
        "email": ANN,
        "displayName": "ann",
        "status": "active",
        "totalSent": 4,
        "totalReceived": 1,
        "bounceRate": 0.25,
        "sentToday": 1,
        "dailySendLimit": 2147483647,
        "warmup": {"enabled": False, "status": "not_started"},
        "performance": {"sent": 4, "opened": 2, "clicked": 1, "bounced": 1, "replied": 1, "positiveReplied": 1},
        "rates": {"open": "50.0", "click": "25.0", "bounce": "25.0", "reply": "25.0", "positiveReply": "25.0"},
    }
    assert list(first) == [
        *("_id", "email", "displayName", "status", "totalSent", "totalReceived", "bounceRate", "sentToday"),
        *("dailySendLimit", "warmup", "performance", "rates"),
    ]
    assert (second["email"], second["performance"]["sent"], second["rates"]["open"]) == (BOB, 1, "0.0")


SPANS = [
    ("", 4),
    ("from=2024-01-17&to=2024-01-17", 1),
    ("from=2024-01-16&to=2024-01-16", 2),
    ("from=2024-01-16", 3),
    ("to=2024-01-16", 3),
    ("to=2024-01-15", 1),
    ("from=2024-01-18", 0),
    ("from=2024-01-16T23:59:59.999Z&to=2024-01-16T23:59:59.999Z", 1),
    ("from=2024-01-17T00:00:00Z&to=2024-01-17T00:00:00Z", 1),
    ("from=2024-01-17T01:00:00%2B01:00", 1),
    ("from=2024-01-17T01:00:00+01:00", 1),  # a plus that nobody escaped
    ("from=2024-01-16T19:00:00-05:00&to=2024-01-16T19:00:00-05:00", 1),
    ("from=2024-01-17%2000:00:00", 1),
    ("from=20240117", 1),
    ("from=&to=", 4),
]


@pytest.mark.parametrize(("query", "sent"), SPANS)
def test_bounds_are_days_or_times(world: World, query: str, sent: int) -> None:
    ann = data(world, f"/analytics/mailboxes?{query}")[0]
    assert ann["performance"]["sent"] == sent
    assert (ann["totalSent"], ann["sentToday"], ann["bounceRate"]) == (4, 1, 0.25), "counters have no bounds"
    one = data(world, f"/analytics/mailboxes/{ann['_id']}?{query}")
    assert (one["stats"]["sent"], one["mailbox"]["email"]) == (sent, ANN)


def test_a_window_and_its_counters_are_one_question(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[EngagementQuestion] = []
    answer = world.maillog.engagement

    def engagement(question: EngagementQuestion) -> list[EngagementCounts]:
        asked.append(question)
        return answer(question)

    monkeypatch.setattr(world.maillog, "engagement", engagement)
    ann = data(world, "/analytics/mailboxes?from=2024-01-16&to=2024-01-16")[0]
    assert (ann["performance"]["sent"], ann["totalSent"], ann["sentToday"]) == (2, 4, 1)
    assert len(asked) == 1, "mails that are read for the window are not read again for all time and for today"


WRONG = [
    "from=yesterday", "to=2024-13-01", "from=2024-02-30", "from=2024-01-17&to=2024-01-16", "from=1705449600",
    "from=2024-01-17T00:00:00Z&to=2024-01-16T23:59:59Z", "from=2024-01-17T25:00:00Z", "to=10000-01-01",
]  # fmt: skip


@pytest.mark.parametrize("query", WRONG)
@pytest.mark.parametrize("path", ["/analytics/mailboxes", "/analytics/daily"])
def test_bounds_that_cannot_be_are_refused(world: World, path: str, query: str) -> None:
    answer = get(world, f"{path}?{query}")
    assert answer.status_code == 400
    assert (answer.json()["error"], answer.json()["code"]) == ("Bad Request", 400)


def test_days(world: World) -> None:
    days = data(world, "/analytics/daily")
    assert [(day["_id"], day["sent"]) for day in days] == [("2024-01-15", 1), ("2024-01-16", 3), ("2024-01-17", 1)]
    assert days[1] == {
        "_id": "2024-01-16", "sent": 3, "opened": 1, "clicked": 1, "bounced": 0, "replied": 1, "positiveReplied": 1,
    }  # fmt: skip
    ann = mailbox_id(world.ours.workspace.id, ANN)
    assert [day["sent"] for day in data(world, f"/analytics/daily/mailboxes/{ann}")] == [1, 2, 1]
    assert [day["sent"] for day in data(world, "/analytics/daily?subsequenceId=main")] == [1, 2, 1]
    followup = campaign_id(world.ours.workspace.id, "followup")
    assert [day["sent"] for day in data(world, f"/analytics/daily?subsequenceId={followup}")] == [1]
    assert get(world, f"/analytics/daily?subsequenceId={'0' * 24}").json() == NOT_FOUND
    assert [day["_id"] for day in data(world, "/analytics/daily?to=2024-01-15")] == ["2024-01-15"]
    assert data(world, "/analytics/daily?from=2030-01-01") == []


def test_campaigns(world: World) -> None:
    spring = campaign_id(world.ours.workspace.id, "spring")
    one = data(world, f"/analytics/campaigns/{spring}")
    assert one["campaign"] == {"id": spring, "name": "spring", "status": "active"}
    assert one["stats"] == {
        "sent": 3, "delivered": 3, "opened": 2, "clicked": 1, "replied": 1, "bounced": 0, "unsubscribed": 0,
    }  # fmt: skip
    assert one["bySequence"]["subsequence"] == {"sent": 1, "opened": 0, "clicked": 0, "bounced": 0}
    assert [step["_id"] for step in one["stepStats"]] == [0, 1]
    assert [(each["name"], each["stats"]["sent"]) for each in one["subsequences"]] == [("followup", 1)]
    more = data(world, f"/campaigns/{spring}/analytics?from=2024-01-17")
    assert (more["campaign"]["startedAt"], more["stats"]["sent"]) == ("2024-01-16T00:00:00.000Z", 1)
    assert more["stepAnalytics"][0]["_id"] == {"sequenceStep": 0, "variant": 0}
    assert [day["sent"] for day in data(world, f"/analytics/daily/campaigns/{spring}")] == [2, 1]
    for path in (f"/analytics/campaigns/{'0' * 24}", "/campaigns/nothing/analytics", "/analytics/daily/campaigns/x"):
        assert (get(world, path).status_code, get(world, path).json()) == (404, NOT_FOUND)


def test_the_overview_is_the_sum_of_the_mailboxes(world: World) -> None:
    whole = data(world, "/analytics/overview")
    assert (whole["totalSent"], whole["totalOpened"], whole["totalCampaigns"], whole["activeCampaigns"]) == (5, 2, 1, 1)
    assert whole["rates"] == {
        "open": "40.0",
        "click": "20.0",
        "bounce": "20.0",
        "reply": "20.0",
        "positiveReply": "20.0",
    }
    found = data(world, "/analytics/mailboxes")
    assert whole["totalSent"] == sum(one["performance"]["sent"] for one in found)


def test_keys_open_what_they_are_said_to_open(world: World) -> None:
    ours, theirs = str(world.ours.workspace.id), str(world.theirs.workspace.id)
    path = "/analytics/mailboxes"
    for headers, status in (
        ({"X-Api-Key": world.ours.token}, 200),
        ({"Authorization": f"Bearer {world.ours.token}"}, 200),
        ({"X-Api-Key": world.ours.token, "X-Workspace-Id": ours}, 200),
        ({"X-Api-Key": world.ours.token, "X-Workspace-Id": theirs}, 403),
        ({"X-Api-Key": world.platform, "X-Workspace-Id": ours}, 200),
        ({"X-Api-Key": world.platform}, 400),
        ({"X-Api-Key": world.platform, "X-Workspace-Id": "999999"}, 403),
        ({"X-Api-Key": world.platform, "X-Workspace-Id": "665f1f77bcf86cd799439011"}, 403),
        ({"X-Api-Key": "sk_nobody"}, 401),
        ({"X-Nothing": "1"}, 401),
    ):
        answer = get(world, path, **headers)
        assert (answer.status_code, answer.json().get("code", 200)) == (status, status), headers
        assert ("success" in answer.json()) == (status == 200)
    foreign = mailbox_id(world.ours.workspace.id, ANN)
    for below in (f"{path}/{foreign}", f"/mailboxes/{foreign}", f"/analytics/daily/mailboxes/{foreign}"):
        answer = get(world, below, **world.theirs.headers)
        assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


def test_the_account_is_of_a_key_that_spans_workspaces(world: World) -> None:
    assert get(world, "/account").json() == FORBIDDEN
    account = data(world, "/account", **{"X-Api-Key": world.platform})
    assert [each["workspaceId"] for each in account["workspaces"]][:2] == [
        str(world.ours.workspace.id), str(world.theirs.workspace.id),
    ]  # fmt: skip
    assert set(account) == {"id", "name", "email", "image", "tier", "workspaces"}
    assert [each["name"] for each in data(world, "/workspaces", **{"X-Api-Key": world.platform})][:2] == [
        "ours",
        "theirs",
    ]
    assert [each["name"] for each in data(world, "/workspaces")] == ["ours"]


def test_unknown_paths_and_methods_answer_in_the_dialect(world: World) -> None:
    assert get(world, "/analytics/nothing").json() == NOT_FOUND
    answer = world.client.delete("/v1/analytics/mailboxes", headers=world.ours.headers)
    assert (answer.status_code, answer.json()["error"]) == (405, "Method Not Allowed")


@pytest.fixture(scope="module")
def listed(world: World) -> World:
    """A workspace of its own, with mailboxes that were created."""
    made = tenant(world.services.tenancy, "listed")
    service, warmup = world.services.mailboxes.mailboxes, Warmup(started_at=NOW)
    given: dict[str, dict[str, Any]] = {
        "a": {"tags": ("one",), "display_name": "Anna Ask"},
        "b": {"tags": ("one", "two"), "sending_enabled": False},
        "c": {"warmup": warmup, "daily_limit": 10},
    }
    for name, fields in given.items():
        service.create(made.workspace.id, f"{name}@listed.example", fields, NOW)
    return World(world.client, world.services, world.ledger, world.maillog, made, world.theirs, world.platform)


def test_a_mailbox_has_what_dns_said_of_each_record_when_it_was_asked(world: World) -> None:
    service, asked = world.services.mailboxes.mailboxes, tenant(world.services.tenancy, "asked")
    made = service.create(asked.workspace.id, "ann@asked.example", {}, NOW)
    blank = data(world, f"/mailboxes/{made.id}", **asked.headers)["setupStatus"]
    assert blank == {"healthScore": None} | {name: {"status": "unknown"} for name in ("mx", "spf", "dkim", "dmarc")}
    valid, missing = RecordHealth(RecordStatus.VALID), RecordHealth(RecordStatus.MISSING)
    said = DnsHealth(MxHealth(RecordStatus.VALID), valid, missing, RecordHealth(RecordStatus.INVALID))
    service.keep_health(made, said, NOW)
    assert data(world, f"/mailboxes/{made.id}", **asked.headers)["setupStatus"] == {
        "healthScore": 50, "mx": {"status": "valid"}, "spf": {"status": "valid"}, "dkim": {"status": "missing"},
        "dmarc": {"status": "invalid"},
    }  # fmt: skip
    (row,) = data(world, "/mailboxes", **asked.headers)
    assert row["setupStatus"] == {"healthScore": 50}


FILTERS = [
    ("", "abc"), ("tags=one", "ab"), ("tags=one,two", "ab"), ("tags=one,two&tagMode=all", "b"), ("untagged=true", "c"),
    ("untagged=false", "ab"), ("sendingEnabled=false", "b"), ("search=ASK", "a"), ("search=B@", "b"),
    ("warmupEnabled=true", "c"), ("warmupStatus=in_progress", "c"), ("warmupStatus=not_started,completed", "ab"),
    ("status=active", "abc"), ("status=suspended,error", ""), ("status=warming_up", ""), ("provider=gmail", ""),
    ("provider=custom", "abc"), ("maxBounceRate=0.1", "abc"), ("minBounceRate=0.1", ""),
    ("highBounceRate=false", "abc"), ("highBounceRate=true", ""), ("minHealthScore=50", ""),
    ("connectionType=smtp", "abc"), ("connectionType=oauth", ""), ("inActiveCampaign=true", ""),
    ("inActiveCampaign=false", "abc"), ("warmupHealth=poor", "c"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "names"), FILTERS)
def test_filters_of_the_list(listed: World, query: str, names: str) -> None:
    assert "".join(one["email"][0] for one in data(listed, f"/mailboxes?{query}")) == names


def test_bounces_and_campaigns_filter_what_sent(world: World) -> None:
    spring = campaign_id(world.ours.workspace.id, "spring")
    for query, emails in (
        (f"campaignIds={spring}", [ANN]),
        (f"notInCampaign={spring}", [BOB]),
        ("inActiveCampaign=true", [ANN]),
        ("minBounceRate=0.2", [ANN]),
        ("maxBounceRate=0.2", [BOB]),
        ("highBounceRate=true&tags=x", []),
    ):
        assert [one["email"] for one in data(world, f"/mailboxes?{query}")] == emails, query
    assert get(world, f"/mailboxes?campaignIds={'0' * 24}").json() == NOT_FOUND


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=101", "limit=x", "cursor=x", "page=0", "status=lost", "tagMode=some", "untagged=perhaps"),
        *("minBounceRate=2", "maxBounceRate=nan", "minHealthScore=101", "warmupStatus=idle", "provider=aol"),
        *("warmupHealth=fine", "connectionType=imap"),
    ],
)
def test_filters_that_cannot_be_are_refused(listed: World, query: str) -> None:
    assert get(listed, f"/mailboxes?{query}").status_code == 400


def test_pages_by_cursor_and_by_number(listed: World) -> None:
    names, query = "", "limit=2"
    for _ in range(2):
        answer = get(listed, f"/mailboxes?{query}").json()
        names += "".join(one["email"][0] for one in answer["data"])
        query = f"limit=2&cursor={answer['pagination']['nextCursor']}"
    assert names == "abc"
    assert answer["pagination"] == {"limit": 2, "nextCursor": None, "hasMore": False}
    second = get(listed, "/mailboxes?limit=2&page=2").json()
    assert ([one["email"][0] for one in second["data"]], second["pagination"]) == (
        ["c"], {"limit": 2, "page": 2, "total": 3, "pages": 2},
    )  # fmt: skip
    assert get(listed, f"/mailboxes?cursor={'0' * 24}").status_code == 404


def test_a_mailbox_is_created_once_and_changed(world: World) -> None:
    headers = world.theirs.headers
    body = {"email": "New.One@Theirs.Example", "displayName": "New", "dailySendLimit": 80, "tags": ["x", "x"],
            "smtp": {"host": "mx.example", "port": 587, "username": "u", "password": "secret"}}  # fmt: skip
    made = world.client.post("/v1/mailboxes", headers=headers, json=body)
    assert made.status_code == 201
    one = made.json()["data"]
    assert (one["email"], one["dailySendLimit"], one["tags"], one["smtpHost"]) == (
        "new.one@theirs.example", 50, ["x"], "mx.example",
    )  # fmt: skip
    assert "secret" not in made.text
    again = world.client.post("/v1/mailboxes", headers=headers, json=body)
    assert (again.status_code, again.json()["error"]) == (409, "Conflict")
    path = f"/v1/mailboxes/{one['_id']}"
    changed = world.client.patch(path, headers=headers, json={"dailySendLimit": 0, "tags": [], "sendingEnabled": False})
    told = changed.json()["data"]
    assert (told["dailySendLimit"], told["tags"], told["sendingEnabled"], told["displayName"]) == (1, [], False, "New")
    for wrong in ({"tags": "x"}, {"displayName": 5}, {"displayName": "a\nb"}, {"tags": [""]}):
        assert world.client.patch(path, headers=headers, json=wrong).status_code == 400, wrong
    for wrong in ({}, {"email": "nobody"}, {"email": "a@b.example", "provider": "aol"}):
        assert world.client.post("/v1/mailboxes", headers=headers, json=wrong).status_code == 400, wrong
    assert world.client.patch(path, headers=world.ours.headers, json={}).status_code == 404


def test_warmup_in_figures(world: World) -> None:
    ann = mailbox_id(world.ours.workspace.id, ANN)
    service, ours = world.services.mailboxes.mailboxes, world.ours.workspace.id
    service.change(ours, ann, {"warmup": Warmup(start=5, step=5, target=20, started_at=MIDNIGHT - DAY_MS)}, NOW)
    try:
        whole = data(world, "/warmup/stats")
        assert whole["summary"] == {
            "totalSent": 3, "inbox": 3, "spam": 0, "promotions": 0, "replied": 1, "opened": 2, "inboxRate": 100,
            "spamRate": 0, "warmingMailboxes": 1, "days": 30,
        }  # fmt: skip
        (one,) = whole["mailboxes"]
        assert one["warmup"]["config"] == {"startingVolume": 5, "dailyIncrease": 5, "targetVolume": 20}
        assert (one["warmup"]["status"], one["warmup"]["currentDay"], one["warmup"]["currentVolume"]) == (
            "in_progress", 2, 10,
        )  # fmt: skip
        assert one["stats"]["healthScore"] == 93  # 50 + 30 + 20 * 2/3, cut off
        single = data(world, f"/warmup/stats/{ann}?days=1")
        assert (single["totalSent"], single["days"]) == (1, 1)
        assert single["placementBreakdown"] == {"inbox": 1, "spam": 0, "promotions": 0, "other": 0, "not_detected": 0}
        assert [day["_id"] for day in single["dailyStats"]] == ["2024-01-17"]
        assert get(world, "/warmup/stats?days=91").status_code == 400
    finally:
        service.change(ours, ann, {"warmup": Warmup()}, NOW)
