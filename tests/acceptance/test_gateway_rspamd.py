"""A real Postfix in front, a real Rspamd beside, a real Postfix behind the gateway: each mail once, in its state."""

from __future__ import annotations

import re
import smtplib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mailvane.inbound.model import Message, MessageStatus
from tests.acceptance import postfix_instance, rspamd_server
from tests.acceptance.gateway_world import DOMAIN, GatewayWorld, mail
from tests.acceptance.postfix_instance import Peers, PostfixInstance
from tests.acceptance.rspamd_server import RspamdServer
from tests.acceptance.smtp_sink import SmtpSink
from tests.waiting import PATIENCE, wait_for

pytestmark = [
    pytest.mark.skipif(bool(rspamd_server.cannot_run()), reason=rspamd_server.cannot_run() or "-"),
]
OK = 250


def settings_of(rspamd: RspamdServer, unknown: str = "tempfail") -> str:
    return f"""
score_from = "rspamd"
rspamd_url = "http://127.0.0.1:{rspamd.port}"
rspamd_controller_url = "http://127.0.0.1:{rspamd.controller}"
rspamd_password_file = "{rspamd.home / "password"}"
score_unknown = "{unknown}"
trusted_relays = ["127.0.0.1"]
quarantine_at = 6
"""


@pytest.fixture(scope="module")
def rspamd() -> Iterator[RspamdServer]:
    with RspamdServer() as running:
        yield running


@pytest.fixture(scope="module")
def sink() -> Iterator[SmtpSink]:
    running = SmtpSink().start()
    yield running
    running.stop()


def subjects(sink: SmtpSink) -> Counter[str]:
    found = (re.search(rb"Subject: ([^\r]+)\r\n", one.data) for one in list(sink.accepted))
    return Counter(match[1].decode() for match in found if match)


def one(world: GatewayWorld, subject: str) -> Message:
    (found,) = [each for each in world.messages() if each.subject == subject]
    return found


@pytest.mark.skipif(bool(postfix_instance.cannot_run()), reason=postfix_instance.cannot_run() or "-")
def test_between_two_postfix_each_mail_comes_once_and_in_its_state(
    rspamd: RspamdServer, sink: SmtpSink, tmp_path: Path
) -> None:
    kinds = {"invoice": MessageStatus.DELIVERED, "casino": MessageStatus.QUARANTINED, "pills": MessageStatus.REJECTED}
    with PostfixInstance(Peers(sink=sink.port)) as behind:
        world = GatewayWorld(tmp_path, behind.smtp, settings_of(rspamd))
        box = world.mailbox("ok.box")
        world.mailbox("info", mailbox=box.id)
        with world.installation.serving(), PostfixInstance(Peers(sink=world.port)) as front:
            content = {
                f"{kind} {number}": mail(f"{kind} {number}", f"{'long ' * 60}\r\n.\r\n..\r\n")
                for number in range(6)
                for kind in kinds
            }
            with smtplib.SMTP("127.0.0.1", front.smtp, timeout=PATIENCE) as client:
                for each in content.values():
                    client.sendmail("ann@sender.example", f"info@{DOMAIN}", each)

            def settled() -> bool:
                with world.stores() as stores:
                    counts = stores.pages.counts(1)
                return all(counts[status] == 6 for status in kinds.values())

            wait_for(settled, world.installation.said)
            wait_for(lambda: len(subjects(sink)) >= 6, lambda: behind.lines()[-20:])
            assert subjects(sink) == Counter(subject for subject in content if subject.startswith("invoice"))
            for received in sink.accepted:
                whole = received.data.replace(b"\r\n..", b"\r\n.")
                # The Postfix in front adds a Date to what comes from its own machine; nothing else differs.
                (subject,) = re.findall(r"Subject: ([^\r]+)", whole.decode())
                head, _, body = content[subject].partition(b"\r\n\r\n")
                assert head in whole
                assert whole.endswith(b"\r\n\r\n" + body)
                assert received.recipients == (f"ok.box@{DOMAIN}",)
            front.wait_for("status=bounced", "550 5.7.1 Refused: spam score 20", times=6)
            assert one(world, "pills 1").symbols == '[{"name":"TEST_PILLS","score":20.0}]'
            accept(world, "casino 3")
            wait_for(lambda: subjects(sink)["casino 3"] == 1, world.installation.said)
            accept(world, "casino 3", again=True)
            assert subjects(sink)["casino 3"] == 1
    wait_for(lambda: "learned message as ham" in rspamd.said(), rspamd.said)


def accept(world: GatewayWorld, subject: str, *, again: bool = False) -> None:
    """Through the interface that Cleanbox's clients know."""
    answer = httpx.post(
        f"{world.installation.url}/v1/quarantine/accept",
        json={"uuids": [one(world, subject).id]},
        headers={"Authorization": f"Bearer {world.key}"},
        timeout=PATIENCE,
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["accepted"] == (0 if again else 1), answer.text


def test_while_rspamd_is_away_mail_waits_or_passes_as_unknown(
    rspamd: RspamdServer, sink: SmtpSink, tmp_path: Path
) -> None:
    for unknown, code in (("tempfail", 451), ("deliver", OK)):
        world = GatewayWorld(tmp_path / unknown, sink.port, settings_of(rspamd, unknown))
        world.mailbox("ok.box")
        rspamd.stop()
        with world.installation.serving():
            assert world.send(f"ok.box@{DOMAIN}", mail(f"casino while away {unknown}"))[0] == code
            rspamd.start()
            assert world.send(f"ok.box@{DOMAIN}", mail(f"casino again {unknown}"))[0] == OK
        assert one(world, f"casino again {unknown}").status is MessageStatus.QUARANTINED
        if unknown == "deliver":
            passed = one(world, f"casino while away {unknown}")
            assert (passed.score, passed.status) == (None, MessageStatus.DELIVERED)
            assert "Rspamd" in passed.reason
        else:
            assert len(world.messages()) == 1
