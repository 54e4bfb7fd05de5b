"""Alerts in the dashboard: written, tried on what is stored, kept, fired, proven, told."""

from __future__ import annotations

import re
from datetime import datetime
from html import unescape
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from mailvane.core.moments import DAY_MS
from mailvane.dashboard.people.model import Role
from mailvane.reputation.alerts.model import MaintenanceWindow
from mailvane.reputation.model import AssetKind, Observation, ObservationKind, Refresh, Source
from tests.wire.dashboard.browsing import alert_of, alerted, entry_of, fill, member
from tests.wire.world import MAIL_ID, NOW, World

SPAM = "rule.gp_user_reported_spam_ratio"
FORM = {
    "type": "GP_USER_REPORTED_SPAM_RATIO",
    "name": "too much spam",
    f"{SPAM}.value": "0.1",
    f"{SPAM}.operator": "gt",
}
SHARES = (0.05, 0.12, 0.09, 0.15, 0.11, 0.02)  # percent, a day each


def told_by_google(world: World) -> None:
    workspace, watched = world.ours.workspace.id, world.services.reputation.watched_assets
    watched.add(workspace, AssetKind.GP_DOMAIN, ["shop.example"], NOW)
    days = tuple(
        Observation(
            kind=ObservationKind.TRAFFIC, asset="shop.example", at=NOW // DAY_MS * DAY_MS - (9 - place) * DAY_MS,
            seen_at=NOW - (9 - place) * DAY_MS, data={"userReportedSpamRatio": share / 100},
        )
        for place, share in enumerate(SHARES)
    )  # fmt: skip
    refresh = Refresh(
        source=Source.POSTMASTER, kind=AssetKind.GP_DOMAIN, asset="shop.example", at=NOW, observations=days
    )
    watched.record(workspace, [refresh], NOW)


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub("<[^>]+>", "", page)))


def test_an_alert_is_tried_before_it_is_kept_and_the_page_agrees_with_the_api(world: World) -> None:
    told_by_google(world)
    at, operator = f"/ui/{world.ours.workspace.id}/alerts", member(world, Role.OPERATOR)
    page = operator.get(f"{at}/new?{urlencode(FORM)}")
    rule = {"type": FORM["type"], "gp_user_reported_spam_ratio": {"value": 0.001, "operator": "gt"}}
    body = {"alert": {"name": "x", "rules": [rule]}}
    answer = world.client.post("/mailvane/v1/alerts/backtest", json=body, headers=world.ours.headers).json()
    times = len(answer["firings"])
    assert times == 3
    assert f"fired {times} times in 30 days" in text_of(page.text)
    assert "marked as spam above 0.1 %" in text_of(page.text)
    assert '"value": 0.001' in unescape(page.text)
    assert world.services.reputation.alerting.alerts(world.ours.workspace.id) == []
    assert operator.post(f"{at}/new", FORM).status_code == 303
    (kept,) = world.services.reputation.alerting.alerts(world.ours.workspace.id)
    assert kept.rules == (rule,)
    assert "too much spam" in operator.get(f"{at}/rules").text


def test_firings_by_line_fall_as_the_line_rises(world: World) -> None:
    told_by_google(world)
    rule = {"type": FORM["type"], "gp_user_reported_spam_ratio": {"value": 0.001, "operator": "gt"}}
    body = {"alert": {"name": "x", "rules": [rule]}}
    answer = world.client.post("/mailvane/v1/alerts/backtest/lines", json=body, headers=world.ours.headers).json()
    by_line = {each["line"]: each["firings"] for each in answer}
    assert (by_line[0.0004], by_line[0.001], by_line[0.0012], by_line[0.0016]) == (5, 3, 1, 0)
    page = member(world, Role.VIEWER).get(f"/ui/{world.ours.workspace.id}/alerts/lines?{urlencode(FORM)}")
    assert "0.1 % now 3" in text_of(page.text.replace("</td>", " ").replace("<span", " <span"))
    assert "<html" not in page.text


def test_what_is_wrong_is_said_beside_what_was_written(world: World) -> None:
    at, operator = f"/ui/{world.ours.workspace.id}/alerts", member(world, Role.OPERATOR)
    for wrong, said in (({f"{SPAM}.value": "much"}, "expected a number"), ({f"{SPAM}.value": "200"}, "<= 1"),
                        ({"name": " "}, "is required"), ({"email": "nobody"}, "is no mail address")):  # fmt: skip
        page = operator.post(f"{at}/new", {**FORM, **wrong})
        assert (page.status_code, said in unescape(page.text)) == (400, True), wrong
        assert operator.get(f"{at}/new?{urlencode({**FORM, **wrong})}").status_code == 200
    assert operator.get(f"{at}/new?type=NOTHING").status_code == 400
    for draft in ("{", "[]", '{"name": "x"}', '{"name": "x", "rules": [7]}', '{"name":"x","rules":' + "[" * 9999):
        assert operator.post(f"{at}/new", {"draft": draft}).status_code == 400
    assert world.services.reputation.alerting.alerts(world.ours.workspace.id) == []


def test_several_rules_are_written_as_json(world: World) -> None:
    at, operator = f"/ui/{world.ours.workspace.id}/alerts", member(world, Role.OPERATOR)
    rules = """[{"type": "IP_IN_RBL", "key": "a", "ips": ["ALL_IPS"], "rbls": ["bl.example"]},
                {"type": "DOMAIN_IN_RBL", "key": "b", "domains": ["ALL_DOMAINS"], "rbls": ["bl.example"]}]"""
    draft = '{"name": "both", "formula": "a AND b", "rules": ' + rules + "}"
    assert operator.post(f"{at}/new", {"draft": draft}).status_code == 303
    page = operator.get(f"{at}/rules/{alert_of(world, world.ours)}")
    assert "a AND b" in page.text
    assert "bl.example" in page.text


def test_from_an_entry_a_link_leads_to_each_step_of_its_proof(world: World) -> None:
    fill(world, world.ours, "listed by bl.example")
    workspace, viewer = world.ours.workspace.id, member(world, Role.VIEWER)
    page = viewer.get(f"/ui/{workspace}/alerts/fired/{entry_of(world, world.ours)}").text
    for step in (f"/ui/{workspace}/alerts/rules/{alert_of(world, world.ours)}",
                 f"/ui/{workspace}/reputation/ip/192.0.2.{workspace}", f"/ui/{workspace}/mail/{MAIL_ID}"):  # fmt: skip
        assert step in page
    query = re.search(r'href="(/ui/\d+/log\?q=answer[^"]+)">1 delivery', page)
    assert query is not None
    assert MAIL_ID in viewer.get(unescape(query[1])).text
    assert "hooks.example.net/…" in page
    assert "secret-of-the-hook" not in page


def test_a_viewer_reads_alerts_and_changes_none(world: World) -> None:
    fill(world, world.ours, "hello")
    at, viewer = f"/ui/{world.ours.workspace.id}/alerts", member(world, Role.VIEWER)
    one, entry = alert_of(world, world.ours), entry_of(world, world.ours)
    for path in ("", "/rules", f"/rules/{one}", "/told", "/maintenance", f"/fired/{entry}"):
        page = viewer.get(at + path)
        assert page.status_code == 200
        assert "secret-of-the-hook" not in page.text
        assert 'method="post"' not in page.text
    for path in ("/new", f"/rules/{one}", f"/rules/{one}/remove", f"/rules/{one}/snooze", "/maintenance",
                 f"/told/msg_{entry}w/resend", "/maintenance/remove", f"/fired/{entry}/resolve"):  # fmt: skip
        assert viewer.post(at + path, FORM).status_code == 403, path


def test_an_alert_is_silenced_changed_and_removed(world: World) -> None:
    fill(world, world.ours, "hello")
    at, operator = f"/ui/{world.ours.workspace.id}/alerts/rules", member(world, Role.OPERATOR)
    one, alerting = alert_of(world, world.ours), world.services.reputation.alerting
    assert operator.post(f"{at}/{one}/snooze", {"for": "1d"}).status_code == 303
    assert alerting.alert(world.ours.workspace.id, one).snoozed_until == NOW + DAY_MS
    assert "Tell again" in operator.get(f"{at}/{one}").text
    fired = f"/ui/{world.ours.workspace.id}/alerts"
    assert "tells nobody until" in text_of(operator.get(fired).text)
    again = operator.post(f"{at}/{one}/snooze", {"for": "", "back": "fired"})
    assert (again.status_code, again.headers["location"]) == (303, fired)
    assert "Snooze" in operator.get(fired).text
    assert alerting.alert(world.ours.workspace.id, one).snoozed_until == 0
    changed = {"type": "IP_IN_RBL", "name": "renamed", "rule.ips": "ALL_IPS", "rule.rbls": "bl.example, b2.example"}
    assert operator.post(f"{at}/{one}", changed).status_code == 303
    assert alerting.alert(world.ours.workspace.id, one).rules[0]["rbls"] == ["bl.example", "b2.example"]
    assert operator.post(f"{at}/{one}/remove").status_code == 303
    assert operator.get(f"{at}/{one}").status_code == 404


def test_a_message_is_sent_again_and_a_window_is_planned(world: World) -> None:
    fill(world, world.ours, "hello")
    at, operator, outbox = f"/ui/{world.ours.workspace.id}/alerts", member(world, Role.OPERATOR), world.ledger.outbox
    message = f"msg_{entry_of(world, world.ours)}w"
    assert [each.id for each in outbox.of_entry(world.ours.workspace.id, entry_of(world, world.ours))] == [message]
    assert outbox.of_entry(world.theirs.workspace.id, entry_of(world, world.ours)) == []
    assert operator.post(f"{at}/told/{message}/resend").status_code == 303
    window = {"since": "2024-01-18T08:00", "until": "2024-01-18T10:00", "reason": "moving", "zone": "Asia/Tokyo"}
    assert operator.post(f"{at}/maintenance", {**window, "until": "2024-01-17"}).status_code == 400
    assert operator.post(f"{at}/maintenance", window).status_code == 303
    assert "moving" in operator.get(f"{at}/maintenance").text
    (kept,) = world.services.reputation.alerting.windows(world.ours.workspace.id)
    begins = datetime(2024, 1, 18, 8, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert (kept.since, kept.until - kept.since) == (begins.timestamp() * 1000, 2 * 3_600_000)
    assert operator.post(f"{at}/maintenance/remove", {"window": kept.id}).status_code == 303
    assert world.services.reputation.alerting.windows(world.ours.workspace.id) == []


def test_entries_are_listed_by_state(world: World) -> None:
    fill(world, world.ours, "hello of the alert")
    at, operator = f"/ui/{world.ours.workspace.id}/alerts", member(world, Role.OPERATOR)
    assert "192.0.2." in operator.get(f"{at}?state=open").text
    assert operator.post(f"{at}/fired/{entry_of(world, world.ours)}/resolve").status_code == 303
    assert "192.0.2." not in operator.get(f"{at}?state=open").text
    assert "192.0.2." in operator.get(f"{at}?state=resolved").text
    assert world.services.reputation.alerting.entry_states(world.ours.workspace.id) == {"resolved": 1}


def test_each_entry_of_the_list_leads_down_to_its_lines(world: World) -> None:
    fill(world, world.ours, "listed by bl.example")
    mine, viewer = world.ours.workspace.id, member(world, Role.VIEWER)
    entry, at = entry_of(world, world.ours), f"/ui/{mine}/alerts"
    page = unescape(viewer.get(at).text)
    told = re.findall(r'<a href="([^"]+)">([^<]+)<span class="unseen"> of ', page)
    assert told == [
        (f"{at}/rules/{alert_of(world, world.ours)}", "rule"),
        (f"/ui/{mine}/reputation/ip/192.0.2.{mine}", "answer of the blocklist"),
        (f"{at}/fired/{entry}/mails", "its mails"),
        (f"{at}/fired/{entry}/lines", "the newest one's lines"),
    ]
    assert all(viewer.get(path).status_code in {200, 303} for path, _ in told)
    mails = viewer.get(told[2][0]).headers["location"]
    assert MAIL_ID in viewer.get(mails).text
    assert viewer.get(told[3][0]).headers["location"] == f"/ui/{mine}/mail/{MAIL_ID}"
    world.services.reputation.alerting.remove(mine, alert_of(world, world.ours))
    assert f"{at}/rules/" not in viewer.get(at).text.replace(f'href="{at}/rules"', ""), "of an alert that is gone"


def test_an_entry_whose_mail_is_unknown_leads_to_what_is_known(world: World) -> None:
    alerted(world, world.ours, "hello")
    mine, viewer = world.ours.workspace.id, member(world, Role.VIEWER)
    at = f"/ui/{mine}/alerts/fired/{entry_of(world, world.ours)}"
    assert "/log?q=answer" in viewer.get(f"{at}/mails").headers["location"]
    assert viewer.get(f"{at}/lines").headers["location"] == at
    assert viewer.get(f"/ui/{mine}/alerts/fired/unknown/lines").status_code == 404


def test_tabs_say_how_many_there_are(world: World) -> None:
    fill(world, world.ours, "hello")
    viewer, mine = member(world, Role.VIEWER), world.ours.workspace.id
    world.services.reputation.alerting.add_window(MaintenanceWindow(id="w", workspace=mine, since=NOW, until=NOW + 1))
    for path in ("", "/rules", "/told", "/maintenance"):
        tabs = re.search(r'<nav class="tabs".*?</nav>', viewer.get(f"/ui/{mine}/alerts{path}").text)
        assert tabs is not None
        assert text_of(tabs[0]) == "Fired 1 openAlerts 1Told 0 in 30 days, 0 failedMaintenance 1 planned"
