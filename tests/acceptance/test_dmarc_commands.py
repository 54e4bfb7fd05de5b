"""`mailvane dmarc` on a terminal: files in, senders out."""

from __future__ import annotations

import email.utils
import gzip
import json
import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.acceptance.installation import Installation

REPORT = """<?xml version="1.0"?><feedback><report_metadata><org_name>isp.example</org_name>
<report_id>{ident}</report_id>
<date_range><begin>{begin}</begin><end>{end}</end></date_range></report_metadata>
<policy_published><domain>shop.example</domain><p>quarantine</p></policy_published>
<record><row><source_ip>198.51.100.66</source_ip><count>310</count>
<policy_evaluated><disposition>quarantine</disposition>
<dkim>fail</dkim><spf>fail</spf></policy_evaluated></row><identifiers><header_from>shop.example</header_from></identifiers>
</record></feedback>"""


def report(ident: str) -> bytes:
    end = int(time.time()) - 3600
    return REPORT.format(ident=ident, begin=end - 86_399, end=end).encode()


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    found = Installation(tmp_path / "data")
    found.tenant("acme")
    return found


def test_reports_are_taken_in_once_and_shown_by_sender(installation: Installation, tmp_path: Path) -> None:
    plain, packed = tmp_path / "one.xml", tmp_path / "two.xml.gz"
    plain.write_bytes(report("1"))
    packed.write_bytes(gzip.compress(report("2")))
    told = installation.run("dmarc", "import", str(plain), str(packed), str(plain)).stdout
    assert [line[0] for line in told.splitlines()] == ["✓", "✓", "="]
    assert "known already" in told
    shown = installation.run("dmarc", "show").stdout
    assert all(word in shown for word in ("shop.example", "quarantine", "198.51.100.66", "620", "isp.example"))
    found = installation.answer("dmarc", "show", "--failing")
    assert found["senders"][0]["passed"] == 0


def test_what_is_no_report_is_said_and_the_others_are_taken(installation: Installation, tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.xml", tmp_path / "good.xml"
    bad.write_text("<html>not found</html>")
    good.write_bytes(report("1"))
    done = installation.run("dmarc", "import", str(bad), str(good), succeeds=False)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0].startswith(f"✗ {bad}: ")
    assert done.stdout.splitlines()[1].startswith("✓")
    missing = installation.run("dmarc", "import", str(tmp_path / "none"), succeeds=False)
    assert missing.stderr == f"mailvane: {tmp_path / 'none'}: No such file or directory\n"


def test_without_reports_it_says_what_to_do(installation: Installation) -> None:
    assert "mailvane dmarc import" in installation.run("dmarc", "show").stdout


def test_what_a_report_says_cannot_steer_the_terminal(installation: Installation, tmp_path: Path) -> None:
    hostile = tmp_path / "tls.json"
    range_ = {"start-datetime": "2024-01-01T00:00:00Z", "end-datetime": "2024-01-02T00:00:00Z"}
    told = {
        "organization-name": "Mail \x1b]0;owned\x07 [/red] Inc", "date-range": range_, "report-id": "1",
        "policies": [{"policy": {"policy-type": "sts", "policy-domain": "shop.example"}, "summary": {}}],
    }  # fmt: skip
    hostile.write_text(json.dumps(told))
    done = installation.run("dmarc", "import", str(hostile))
    assert "tls of Mail ]0;owned [/red] Inc about shop.example" in done.stdout
    assert not any(each < " " for each in done.stdout.replace("\n", ""))


POSTFIX = """\
{stamp} mx1 postfix/pickup[11]: 6BB23A2D31: uid=1000 from=<news@shop.example>
{stamp} mx1 postfix/cleanup[12]: 6BB23A2D31: message-id=<m1@shop.example>
{stamp} mx1 postfix/qmgr[13]: 6BB23A2D31: from=<news@shop.example>, size=900, nrcpt=1 (queue active)
{stamp} mx1 postfix/smtp[14]: 6BB23A2D31: to=<ann@one.example>, relay=mx.one.example[192.0.2.9]:25, delay=1, \
delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 ok)
{stamp} mx1 postfix/qmgr[13]: 6BB23A2D31: removed
"""
ABUSE = """\
From: fbl@one.example
To: abuse@shop.example
Subject: complaint
Message-ID: <{ident}@one.example>
Date: {date}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: text/plain

Somebody pressed the button.
--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: OneFBL/1
Version: 1
Original-Rcpt-To: ann@one.example
Arrival-Date: {date}

--b
Content-Type: message/rfc822

Received: from mx1 by mx.one.example with ESMTP id zz9 for <ann@one.example>
From: News <news@shop.example>
To: ann@one.example
Subject: Sale
Message-ID: <{mail}@shop.example>

Buy!
--b--
"""


def abuse_report(ident: str, mail: str = "m1") -> str:
    return ABUSE.format(ident=ident, mail=mail, date=email.utils.formatdate())


def complained(installation: Installation) -> list[bool]:
    return [bool(row["complained_at"]) for row in installation.answer("log")["deliveries"]]


@pytest.mark.parametrize("served", [False, True])
def test_an_abuse_report_is_shown_and_is_a_complaint_of_its_mail(
    installation: Installation, tmp_path: Path, served: bool
) -> None:
    log, first, other = tmp_path / "mail.log", tmp_path / "1.eml", tmp_path / "2.eml"
    log.write_text(POSTFIX.format(stamp=datetime.now(UTC).isoformat()))
    first.write_text(abuse_report("r1"))
    other.write_text(abuse_report("r2", "unknown"))
    installation.run("domain", "create", "shop.example", "--workspace", "acme")
    installation.run("import", "postfix", str(log), "--workspace", "acme")
    assert "mailvane dmarc import" in installation.run("dmarc", "abuse").stdout
    with installation.serving() if served else nullcontext():
        told = installation.run("dmarc", "import", str(first), str(other), str(first)).stdout.splitlines()
        assert [line[0] for line in told] == ["✓", "✓", " ", "="], told
        assert "counted as a complaint of shop.example by what the report says" in told[2]
        # What a command leaves in the journal, a server beside it carries a moment later.
        installation.wait_for(lambda: complained(installation) == [True])
        shown = installation.run("dmarc", "abuse", "--type", "abuse").stdout
        found = installation.answer("dmarc", "abuse")
        assert installation.answer("domain", "show", "shop.example")["usage"]["complaints"] == 2
    assert all(word in shown for word in ("shop.example", "ann@one.example", "OneFBL/1"))
    assert found["domains"] == [{"domain": "shop.example", "feedback_type": "abuse", "reports": 2}]
    mails = {each["data"]["complaint"]["mail_id"] for each in found["reports"]}
    assert mails == {"", installation.answer("log")["deliveries"][0]["mail_id"]}
    assert "auth-failure" not in installation.run("dmarc", "abuse", "--type", "auth-failure").stdout


def test_tls_reports_are_shown_with_what_failed(installation: Installation, tmp_path: Path) -> None:
    until = datetime.now(UTC) - timedelta(hours=3)
    told = {
        "organization-name": "Big Sender",
        "date-range": {"start-datetime": (until - timedelta(days=1)).isoformat(), "end-datetime": until.isoformat()},
        "report-id": "1",
        "policies": [
            {
                "policy": {"policy-type": "sts", "policy-domain": "shop.example"},
                "summary": {"total-successful-session-count": 1520, "total-failure-session-count": 31},
                "failure-details": [
                    {"result-type": "certificate-expired", "receiving-mx-hostname": "mx2.shop.example",
                     "failed-session-count": 31}
                ],
            }
        ],
    }  # fmt: skip
    file = tmp_path / "tls.json"
    file.write_text(json.dumps(told))
    assert "mailvane dmarc import" in installation.run("dmarc", "tls").stdout
    installation.run("dmarc", "import", str(file))
    shown = installation.run("dmarc", "tls", "--failing").stdout
    assert all(
        word in shown
        for word in ("shop.example", "Big Sender", "1,520", "31", "certificate-expired", "mx2.shop.example")
    )
    found = installation.answer("dmarc", "tls", "--domain", "Shop.example")
    assert found["domains"] == [{"domain": "shop.example", "reports": 1, "succeeded": 1520, "failed": 31}]
    assert found["reports"][0]["data"]["failures"][0]["result_type"] == "certificate-expired"


def test_senders_are_told_by_name_of_the_service_on_the_terminal_and_over_http(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    (installation.data / "mailvane.toml").write_text('[reputation]\nresolvers = ["127.0.0.1:9"]\n')
    _, token = installation.tenant("acme")
    signed = "<dkim><domain>amazonses.com</domain><selector>s</selector><result>pass</result></dkim>"
    file = tmp_path / "ses.xml"
    signed_record = f"<auth_results>{signed}</auth_results></record></feedback>"
    file.write_bytes(report("1").replace(b"</record></feedback>", signed_record.encode()))
    installation.run("dmarc", "import", str(file))
    shown = installation.run("dmarc", "senders").stdout
    assert all(word in shown for word in ("Amazon SES", "shop.example", "310", "0.0%"))
    header, line = installation.run("dmarc", "senders", "--csv").stdout.splitlines()
    assert header == "domain,service,name,first_seen,last_seen,messages,passed,addresses"
    assert line.startswith("shop.example,amazon-ses,Amazon SES,20")
    assert line.endswith(",310,0,1")
    (found,) = installation.answer("dmarc", "senders")
    with installation.serving():
        (told,) = installation.get("/mailvane/v1/dmarc/senders", token, domain="shop.example")
        assert installation.get("/mailvane/v1/dmarc/senders", token, domain="other.example") == []
    assert (told["service"], told["messages"]) == (found["service"], found["messages"]) == ("amazon-ses", 310)
