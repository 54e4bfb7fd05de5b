"""A real Postfix in front, a real Rspamd beside, a real Postfix behind the gateway: each mail once, in its state."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from mailvane.core.ledger.columns import in_chunks
from mailvane.inbound.model import Message, MessageStatus
from tests.acceptance import postfix_instance, rspamd_server
from tests.acceptance.gateway_campaign import BEHIND, Signer, campaign, prepare, send
from tests.acceptance.gateway_world import DOMAIN, GatewayWorld, mail
from tests.acceptance.postfix_instance import Peers, PostfixInstance
from tests.acceptance.rspamd_server import RspamdServer
from tests.acceptance.smtp_sink import Received, SmtpSink
from tests.depth import rounds
from tests.waiting import PATIENCE, wait_for

pytestmark = [
    pytest.mark.skipif(bool(rspamd_server.cannot_run()), reason=rspamd_server.cannot_run() or "-"),
]
OK = 250
MAILS = rounds(20, deep=1000)


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


def one(world: GatewayWorld, subject: str) -> Message:
    with world.stores() as stores:
        (found,) = [each for part in stores.pages.walk(1, 0, 1000) for each in part if each.subject == subject]
    return found


@pytest.mark.skipif(bool(postfix_instance.cannot_run()), reason=postfix_instance.cannot_run() or "-")
def test_between_two_postfix_each_mail_comes_once_and_in_its_state(
    rspamd: RspamdServer, sink: SmtpSink, tmp_path: Path
) -> None:
    signer = Signer()
    mails = campaign(MAILS, signer)
    by_subject = {each.subject: each for each in mails}
    held = [each for each in mails if each.kind.status is MessageStatus.QUARANTINED]
    expected = Counter(each.kind.status for each in mails for _ in each.kind.recipients if each.kind.status)
    with PostfixInstance(Peers(sink=sink.port), extra=BEHIND) as behind:
        world = GatewayWorld(tmp_path, behind.smtp, settings_of(rspamd))
        prepare(world)
        with world.installation.serving(), PostfixInstance(Peers(sink=world.port)) as front:
            send(mails, front.smtp)
            wait_while_it_grows(lambda: sum(counts(world).values()), expected.total(), world)
            wait_while_it_grows(
                lambda: counts(world)[MessageStatus.DELIVERED], expected[MessageStatus.DELIVERED], world
            )
            wait_while_it_grows(lambda: counts(world)[MessageStatus.FAILED], expected[MessageStatus.FAILED], world)
            assert counts(world) == expected
            wanted = Counter(copy for each in mails for copy in each.copies())
            wait_while_it_grows(lambda: copies(sink).total(), wanted.total(), world)
            assert copies(sink) == wanted, "each once"
            # What is released by hand comes once as well, however often it is.
            for again in (False, True):
                accept(world, [each.subject for each in held], again=again)
            wanted.update(copy for each in held for copy in each.wanted())
            wait_while_it_grows(lambda: copies(sink).total(), wanted.total(), world)
            assert copies(sink) == wanted
            for received in campaign_of(sink):
                content = received.data.replace(b"\r\n..", b"\r\n.")
                assert content.endswith(by_subject[subject_of(received)].content), "fields are added above, and no more"
                assert signer.verifies(content)
            stray = sum(each.kind.status is None for each in mails)
            front.wait_for("status=bounced", "550 5.1.1", times=stray)
            front.wait_for("status=bounced", "550 5.7.1 Refused: spam score 20", times=expected[MessageStatus.REJECTED])
            flood = next(each for each in mails if each.kind.status is MessageStatus.REJECTED)
            assert one(world, flood.subject).symbols == '[{"name":"TEST_PILLS","score":20.0}]'
            logged_as_kept(world)
    wait_for(lambda: "learned message as ham" in rspamd.said(), rspamd.said)


def copies(sink: SmtpSink) -> Counter[tuple[str, str]]:
    """Subject and recipient of what arrived of the campaign."""
    return Counter((subject_of(each), recipient) for each in campaign_of(sink) for recipient in each.recipients)


def campaign_of(sink: SmtpSink) -> list[Received]:
    return [each for each in list(sink.accepted) if b"@c.example>\r\n" in each.data]


def subject_of(received: Received) -> str:
    (subject,) = re.findall(rb"\r\nSubject: ([^\r]+)", received.data)
    return str(subject.decode())


def counts(world: GatewayWorld) -> Counter[MessageStatus]:
    with world.stores() as stores:
        return +Counter(stores.pages.counts(1))


def in_status(world: GatewayWorld, status: MessageStatus) -> int:
    return counts(world)[status]


def wait_while_it_grows(number: Callable[[], int], least: int, world: GatewayWorld) -> None:
    """Until there are so many; as long as there are more and more of them, that may take its time."""
    while (before := number()) < least:
        wait_for(lambda: number() > before, lambda: (number(), least, world.installation.said()))


def logged_as_kept(world: GatewayWorld) -> None:
    """The mail log tells of the same deliveries as the ledger."""

    def total() -> int:
        found: int = world.installation.answer("log", "--relay", "0", "--status", "delivered", "--limit", "1")["total"]
        return found

    wait_for(lambda: total() == counts(world)[MessageStatus.DELIVERED], lambda: (total(), counts(world)))


def accept(world: GatewayWorld, names: Sequence[str], *, again: bool = False) -> None:
    """Through the interface that Cleanbox's clients know."""
    for some in in_chunks(names, 20):
        with world.stores() as stores:
            known = {each.subject: each.id for part in stores.pages.walk(1, 0, 1000) for each in part}
        answer = httpx.post(
            f"{world.installation.url}/v1/quarantine/accept",
            json={"uuids": [known[each] for each in some]},
            headers={"Authorization": f"Bearer {world.key}"},
            timeout=PATIENCE,
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["accepted"] == (0 if again else len(some)), answer.text


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
