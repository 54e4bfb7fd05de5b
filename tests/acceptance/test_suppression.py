"""A real Postfix, its log and the door: what bounced is refused the next time; a held domain's mail waits and goes."""

from __future__ import annotations

import json
import smtplib
import time
from collections.abc import Iterator

import pytest

from mailvane.outbound.model import OutboundStatus
from tests.acceptance.installation import Installation
from tests.acceptance.mail_client import Note, hand_in
from tests.acceptance.postfix_instance import cannot_run
from tests.acceptance.test_policy import OUTBOUND, Place, place
from tests.waiting import PATIENCE, wait_for

SHOP = "shop.example"


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if reason := cannot_run():
        pytest.skip(reason)
    with place(tmp_path_factory.mktemp("suppression") / "data") as running:
        settings = running.installation.data / "mailvane.toml"
        settings.write_text(settings.read_text().replace(OUTBOUND, f'{OUTBOUND}suppression = "refuse"\n'))
        running.installation.environment["MAIL_CONFIG"] = str(running.postfix.home / "etc")
        acme = running.ledger.tenants.workspace_named("acme")
        assert acme is not None
        running.governance.create(SHOP, acme.id, time.time_ns() // 1_000_000)
        with running.installation.serving():
            yield running


def note(*recipients: str, sender: str = f"ann@{SHOP}") -> Note:
    return Note(recipients, {"Subject": "hello"}, sender=sender)


def listed(installation: Installation) -> dict[str, tuple[str, int]]:
    found = installation.answer("suppression", "list", "--workspace", "acme")
    return {each["address"]: (each["reason"], each["spared"]) for each in found}


def test_who_does_not_exist_is_spared_the_next_mail(asking: Place) -> None:
    hand_in(asking.postfix.smtp, note("unknown.1@inbox.example", "full.1@inbox.example"))
    installation = asking.installation
    wait_for(lambda: listed(installation), installation.said)
    assert listed(installation) == {"unknown.1@inbox.example": ("bounced", 0)}
    with smtplib.SMTP("127.0.0.1", asking.postfix.smtp, timeout=PATIENCE) as client:
        refused = client.sendmail(
            f"ann@{SHOP}", ["Unknown.1@INBOX.example", "ok.7@inbox.example"], note("x@y.example").text()
        )
    assert list(refused) == ["Unknown.1@INBOX.example"]
    code, said = refused["Unknown.1@INBOX.example"]
    assert code == 554
    assert said.decode().endswith(f"is on the suppression list of {SHOP}: bounced (recipient_suppressed)")
    asking.postfix.wait_for("to=<ok.7@inbox.example>", "status=sent")
    assert listed(installation) == {"unknown.1@inbox.example": ("bounced", 1)}
    told = installation.answer("suppression", "stats", "--workspace", "acme")
    assert (told["spared"], told["addresses"]) == (1, {"bounced": 1})
    metrics = installation.run("suppression", "remove", "unknown.1@inbox.example", "--workspace", "acme")
    assert "no longer" in metrics.stdout
    assert asking.refusal(note("unknown.1@inbox.example")) == ""


def in_queue(asking: Place, name: str) -> list[str]:
    lines = asking.postfix.command("postqueue", "-j").splitlines()
    mails = [json.loads(line) for line in lines if line.startswith("{")]
    return [each["sender"] for each in mails if each["queue_name"] == name]


def test_mail_of_a_held_domain_waits_until_it_is_released_and_other_held_mail_stays(asking: Place) -> None:
    installation, sink = asking.installation, asking.sink
    # held by a rule of Postfix's own: not ours to let go
    hand_in(asking.postfix.smtp, Note(("ok.8@inbox.example",), {"X-Test-Hold": "1"}, sender=f"bob@{SHOP}"))
    asking.postfix.wait_for(": hold: ", "on request")
    done = installation.run("hold", "set", "domain", SHOP, "--note", "looks stolen")
    assert done.stdout == f"domain {SHOP}: on hold\n"
    hand_in(asking.postfix.smtp, note("ok.8@inbox.example", "ok.9@inbox.example"))
    hand_in(asking.postfix.smtp, note("ok.8@inbox.example", sender="ann@elsewhere.example"))
    asking.postfix.wait_for("from=<ann@elsewhere.example>", "queue active")
    assert sorted(in_queue(asking, "hold")) == [f"ann@{SHOP}", f"bob@{SHOP}"]
    assert asking.sent_today(SHOP) >= 1
    (held,) = installation.answer("hold", "list")
    assert (held["kind"], held["name"], held["note"]) == ("domain", SHOP, "looks stolen")

    def waiting() -> list[object]:
        rows = installation.answer("log", "--workspace", "acme", "--from", f"ann@{SHOP}")["deliveries"]
        return [row for row in rows if row["status"] == "held"]

    wait_for(waiting, installation.said)
    released = installation.run("hold", "release", "domain", SHOP)
    said = released.stdout.splitlines()
    assert said[:2] == [f"domain {SHOP}: released; new mail passes", "let go 1 held mails"]
    assert said[2].startswith(f"1 more of {SHOP} stay held")
    wait_for(lambda: sum(mail.sender == f"ann@{SHOP}" for mail in sink.accepted) >= 1, asking.postfix.lines)
    assert in_queue(asking, "hold") == [f"bob@{SHOP}"]
    assert asking.refusal(note("ok.10@inbox.example")) == ""
    asking.postfix.wait_for("to=<ok.10@inbox.example>", "status=sent")
    assert asking.governance.domain(SHOP).status is OutboundStatus.ACTIVE
    assert installation.answer("hold", "list") == []


def test_without_the_commands_it_is_told_how(asking: Place) -> None:
    asking.installation.run("hold", "set", "login", "Deploy")
    told = asking.installation.run("hold", "release", "login", "deploy", "--no-queue").stdout
    assert "postsuper -H" in told
    assert "not on hold" in asking.installation.run("hold", "release", "login", "deploy", succeeds=False).stderr
    assert "mailvane hold release login deploy --queue" in told
    followed = asking.installation.run("hold", "release", "login", "deploy", "--queue").stdout
    assert followed.splitlines() == ["the login deploy is not on hold", "let go 0 held mails"]
