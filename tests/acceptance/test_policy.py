"""A real Postfix asks a real server about every mail: no limit is passed, a soft one marks, silence is understood."""

from __future__ import annotations

import re
import smtplib
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailvane.core.moments import DAY_MS
from mailvane.maillog.queries import HourlyQuestion
from mailvane.maillog.remote import RemoteMailLog
from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.governance import Governance
from mailvane.server.ledger import Ledger, open_ledger
from tests.acceptance.installation import Installation
from tests.acceptance.mail_client import Note, hand_in
from tests.acceptance.postfix_instance import DEPLOY, Peers, PostfixInstance, cannot_run
from tests.acceptance.sasl_server import SaslServer
from tests.acceptance.smtp_sink import SmtpSink
from tests.ports import free_port
from tests.waiting import PATIENCE, wait_for

OUTBOUND = """
[outbound]
internal_domains = ["virtual.example"]
quota_header = true
"""


def deployed(port: int) -> dict[str, str]:
    """The settings of deploy/postfix/policy.cf, as an operator sets them."""
    lines = [line for line in (DEPLOY / "policy.cf").read_text().splitlines() if line and not line.startswith("#")]
    text = "\n".join(lines).replace("\n ", " ").replace(":10031", f":{port}")
    return {
        name.strip(): " ".join(value.split()) for name, _, value in (line.partition("=") for line in text.splitlines())
    }


@dataclass
class Place:
    """A Postfix, the Mailvane that it asks, and where the mail ends up."""

    postfix: PostfixInstance
    installation: Installation
    sink: SmtpSink
    ledger: Ledger
    token: str

    @property
    def governance(self) -> Governance:
        return Governance(self.ledger.domains, self.ledger.billing, self.ledger.tenants, GovernanceRules())

    def domain(self, name: str, **limits: object) -> None:
        now = time.time_ns() // 1_000_000
        self.governance.create(name, None, now)
        self.governance.change(name, limits, "test", now)

    def sent_today(self, name: str) -> int:
        return self.governance.usage_today(name, time.time_ns() // 1_000_000).sent_today

    def send_parallel(self, name: str, mails: int, sessions: int) -> None:
        source = ["smtp-source", "-A", "-s", str(sessions), "-m", str(mails)]
        source += ["-f", f"ann@{name}", "-t", "ok.bulk@inbox.example", f"127.0.0.1:{self.postfix.smtp}"]
        subprocess.run(source, check=True, capture_output=True, timeout=PATIENCE)

    def set(self, **settings: str) -> None:
        self.postfix.command("postconf", "-e", *(f"{name} = {value}" for name, value in settings.items()))
        self.postfix.command("postfix", "reload")
        time.sleep(0.2)  # the daemons that are there finish their connection first; new ones have read it

    def arrived(self, name: str) -> list[str]:
        return [mail.data.decode() for mail in self.sink.accepted if mail.sender.endswith(f"@{name}")]

    def refusal(self, note: Note) -> str:
        """What the client is told at the first recipient or at the end."""
        try:
            with smtplib.SMTP("127.0.0.1", self.postfix.smtp, timeout=PATIENCE) as client:
                client.sendmail(note.sender, note.recipients, note.text())
        except smtplib.SMTPRecipientsRefused as refused:
            return " ".join(f"{code} {said.decode()}" for code, said in refused.recipients.values())
        except smtplib.SMTPDataError as refused:
            said = refused.smtp_error
            return f"{refused.smtp_code} {said if isinstance(said, str) else said.decode()}"
        return ""


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if reason := cannot_run():
        pytest.skip(reason)
    with place(tmp_path_factory.mktemp("policy") / "data") as running, running.installation.serving():
        yield running


@contextmanager
def place(data: Path, *, socket: bool = False) -> Iterator[Place]:
    installation = Installation(data)
    _, token = installation.tenant("acme")
    with ExitStack() as running:
        sink, sasl = SmtpSink(), SaslServer()
        for server in (sink, sasl):
            server.start()
            running.callback(server.stop)
        postfix = running.enter_context(PostfixInstance(Peers(sink.port, sasl=sasl.port)))
        if socket:
            installation.environment["MAILVANE_POLICY"] = f"unix:{postfix.home}/policy"
        (data / "mailvane.toml").write_text(f'{OUTBOUND}\n[[postfix]]\npath = "{postfix.log}"\nworkspace = "acme"\n')
        ledger = open_ledger(f"sqlite:///{data / 'ledger.sqlite'}")
        running.callback(ledger.close)
        there = Place(postfix, installation, sink, ledger, token)
        there.set(**deployed(installation.policy_port))
        yield there


def mail(name: str, *recipients: str, subject: str = "hello") -> Note:
    return Note(recipients or ("ok.1@inbox.example",), {"Subject": subject}, sender=f"ann@{name}")


def rejected(asking: Place) -> int:
    """How many mails the mail log knows as refused before they were accepted."""
    installation = asking.installation
    now = time.time_ns() // 1_000_000
    with RemoteMailLog(installation.url, (installation.data / "master-token").read_text().strip()) as maillog:
        hours = maillog.hourly(HourlyQuestion(workspace=1, relays=(1,), since=now - DAY_MS, until=now + DAY_MS))
    return sum(hour.rejected for hour in hours)


def settled(asking: Place) -> int:
    """Likewise, once all that Postfix has logged so far is known."""
    logged = sum(": reject: " in line for line in asking.postfix.lines())
    wait_for(lambda: rejected(asking) == logged, lambda: (rejected(asking), logged))
    return logged


def test_of_parallel_mail_exactly_the_limit_passes(asking: Place) -> None:
    asking.domain("limited.example", daily_limit=40)
    asking.send_parallel("limited.example", mails=100, sessions=16)
    asking.postfix.wait_for("from=<ann@limited.example>", "queue active", times=40)
    asking.postfix.wait_for("has reached its daily limit (daily_limit_exceeded)", times=60)
    assert len(asking.postfix.wait_for("from=<ann@limited.example>", "queue active")) == 40
    assert asking.sent_today("limited.example") == 40


def test_a_refused_mail_is_told_why_and_is_rejected_in_the_mail_log(asking: Place) -> None:
    asking.domain("stopped.example", status="suspended")
    before = settled(asking)
    note = mail("stopped.example", "ok.stopped@inbox.example")
    assert asking.refusal(note) == (
        "554 5.7.1 <ok.stopped@inbox.example>: Recipient address rejected: "
        "stopped.example may not send at present (outbound_suspended)"
    )
    asking.postfix.wait_for("reject: RCPT", "stopped.example may not send")
    wait_for(lambda: rejected(asking) != before, lambda: "the refusal is in the log, but not in the answers")
    assert rejected(asking) == before + 1


def test_a_soft_limit_lets_the_mail_pass_and_marks_it_once(asking: Place) -> None:
    asking.domain("soft.example", daily_limit=1, enforcement="soft")
    recipients = ("ok.1@inbox.example", "ok.2@inbox.example", "ok.3@inbox.example")
    for subject in ("first", "second"):
        hand_in(asking.postfix.smtp, mail("soft.example", *recipients, subject=subject))
    asking.postfix.wait_for("from=<ann@soft.example>", "queue active", times=2)
    asking.postfix.wait_for("to=<ok.3@inbox.example>", "status=sent", times=2)
    first, second = sorted(asking.arrived("soft.example"), key=lambda text: "Subject: second" in text)
    assert "X-Mailvane-Quota" not in first
    marks = re.findall(r"^X-Mailvane-Quota: (.*?)\r$", second, re.MULTILINE)
    assert marks == ["daily_limit_exceeded_soft; domain=soft.example; today=2; month=2"]
    assert asking.sent_today("soft.example") == 2


def test_a_mail_that_is_given_up_or_refused_by_postfix_itself_uses_up_nothing(asking: Place) -> None:
    asking.domain("careful.example", daily_limit=5)
    assert asking.refusal(mail("careful.example")) == ""
    with smtplib.SMTP("127.0.0.1", asking.postfix.smtp, timeout=PATIENCE) as client:
        client.ehlo()
        for _ in range(3):
            client.mail("ann@careful.example")
            assert client.rcpt("ok.1@inbox.example")[0] == 250
            client.rset()
    own = asking.postfix.command("postconf", "-h", "smtpd_recipient_restrictions").strip()
    try:
        asking.set(smtpd_recipient_restrictions=f"check_recipient_access inline:{{{{inbox.example=REJECT}}}}, {own}")
        assert "5.7.1" in asking.refusal(mail("careful.example"))
    finally:
        asking.set(smtpd_recipient_restrictions=own)
    assert asking.sent_today("careful.example") == 1


def test_mails_of_one_connection_count_one_by_one(asking: Place) -> None:
    asking.domain("chatty.example", daily_limit=3)
    given = hand_in(asking.postfix.smtp, *[mail("chatty.example")] * 3)
    assert all(given)
    assert "450 4.7.1" in asking.refusal(mail("chatty.example"))
    assert asking.sent_today("chatty.example") == 3


def test_where_recipients_count_all_of_a_mail_do(asking: Place) -> None:
    asking.domain("crowd.example", daily_limit=10, counting="recipients")
    assert asking.refusal(mail("crowd.example", *(f"ok.{n}@inbox.example" for n in range(7)))) == ""
    assert asking.sent_today("crowd.example") == 7
    told = asking.refusal(mail("crowd.example", *(f"ok.{n}@inbox.example" for n in range(4))))
    assert told.startswith("450 4.7.1")
    assert "crowd.example has reached its daily limit" in told
    assert asking.sent_today("crowd.example") == 7
    assert asking.refusal(mail("crowd.example", *(f"ok.{n}@inbox.example" for n in range(3)))) == ""
    assert asking.sent_today("crowd.example") == 10


def test_who_logged_in_counts_for_the_domain_of_the_login(asking: Place) -> None:
    asking.domain("office.example", daily_limit=5)
    asking.domain("alias.shop.example", daily_limit=5)
    assert hand_in(asking.postfix.submission, mail("alias.shop.example"), login="anna@office.example")
    assert asking.sent_today("office.example") == 1
    assert asking.sent_today("alias.shop.example") == 0


def test_bounces_internal_mail_and_unknown_domains_pass_uncounted(asking: Place) -> None:
    asking.domain("inside.example", daily_limit=1)
    assert asking.refusal(mail("inside.example", "ann@virtual.example")) == ""
    assert asking.sent_today("inside.example") == 0
    assert asking.refusal(mail("stranger.example")) == ""
    assert asking.refusal(Note(("ok.1@inbox.example",), {"Subject": "a bounce"}, sender="")) == ""


def test_without_a_server_postfix_does_what_its_own_settings_say(asking: Place) -> None:
    nobody = free_port()
    asking.domain("alone.example", status="suspended")
    try:
        asking.set(**deployed(nobody), smtpd_policy_service_retry_delay="1s")
        assert asking.refusal(mail("alone.example")) == ""
        cautious = {name: value.replace("=DUNNO", "=DEFER_IF_PERMIT") for name, value in deployed(nobody).items()}
        asking.set(**cautious)
        assert asking.refusal(mail("alone.example")).startswith("450 4.")
    finally:
        asking.set(**deployed(asking.installation.policy_port))
    assert asking.refusal(mail("alone.example")).startswith("554 5.7.1")


def test_postfix_asks_over_a_socket_of_the_machine(tmp_path: Path) -> None:
    if reason := cannot_run():
        pytest.skip(reason)
    with place(tmp_path / "data", socket=True) as asking, asking.installation.serving():
        told = deployed(0).items()
        asking.set(
            **{name: value.replace("inet:127.0.0.1:0", f"unix:{asking.postfix.home}/policy") for name, value in told}
        )
        asking.domain("socket.example", daily_limit=1)
        assert asking.refusal(mail("socket.example")) == ""
        assert asking.refusal(mail("socket.example")).startswith("450 4.7.1")
