"""Reports as their senders write them, for tests: aggregates, TLS reports, complaints, and mails around them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from typing import Any

BEGINS, ENDS = 1_767_225_600, 1_767_311_999  # 2026-01-01, in seconds
PASSING = "<domain>shop.example</domain><selector>s1</selector><result>pass</result>"
SPF = "<domain>bounce.shop.example</domain><scope>mfrom</scope><result>pass</result>"


def record(
    address: str = "192.0.2.1",
    count: object = 1,
    *,
    aligned: tuple[str, str] = ("pass", "pass"),
    results: str = f"<dkim>{PASSING}</dkim><spf>{SPF}</spf>",
    more: str = "",
) -> str:
    """One record; `aligned` is of DKIM and SPF."""
    return (
        f"<record>\n  <row><source_ip>{address}</source_ip><count>{count}</count>"
        f"<policy_evaluated><disposition>none</disposition><dkim>{aligned[0]}</dkim><spf>{aligned[1]}</spf>"
        f"</policy_evaluated></row>\n  <identifiers><envelope_from>bounce.shop.example</envelope_from>"
        f"<header_from>shop.example</header_from></identifiers>\n  <auth_results>{results}</auth_results>{more}\n"
        "</record>\n"
    )


def aggregate(
    *records: str,
    report_id: str = "r1",
    organisation: str = "Mail Receiver",
    domain: str = "Shop.Example",
    span: tuple[object, object] = (BEGINS, ENDS),
    namespace: str = "",
) -> bytes:
    root = f'<feedback xmlns="{namespace}">' if namespace else "<feedback>"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{root}<version>1.0</version><report_metadata>'
        f"<org_name>{organisation}</org_name><email>reports@receiver.example</email><report_id>{report_id}</report_id>"
        f"<date_range><begin>{span[0]}</begin><end>{span[1]}</end></date_range></report_metadata>"
        f"<policy_published><domain>{domain}</domain><adkim>r</adkim><aspf>r</aspf><p>reject</p><sp>none</sp>"
        f"<pct>100</pct></policy_published>{''.join(records or (record(),))}</feedback>"
    ).encode()


def tls(*policies: Mapping[str, Any], **changes: object) -> bytes:
    told = {
        "organization-name": "Mail Sender",
        "date-range": {"start-datetime": "2026-01-01T00:00:00Z", "end-datetime": "2026-01-01T23:59:59Z"},
        "contact-info": "tls@sender.example",
        "report-id": "t1",
        "policies": list(policies) or [policy()],
    }
    return json.dumps({**told, **changes}).encode()


def policy(domain: str | None = "shop.example", succeeded: int = 10, failures: Sequence[int] = ()) -> dict[str, Any]:
    told: dict[str, Any] = {"policy-type": "sts", "policy-string": ["version: STSv1"]}
    if domain is not None:
        told["policy-domain"] = domain
    return {
        "policy": told,
        "summary": {"total-successful-session-count": succeeded, "total-failure-session-count": sum(failures)},
        "failure-details": [
            {"result-type": "certificate-expired", "failed-session-count": each, "receiving-ip": "192.0.2.9"}
            for each in failures
        ],
    }


def mail_with(*attached: tuple[str, str, bytes], headers: Mapping[str, str] | None = None) -> bytes:
    """Attachments as content type, file name and content."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "r@receiver.example", "d@shop.example", "Report"
    for name, value in (headers or {}).items():
        message[name] = value
    message.set_content("A report is attached.")
    message.add_alternative("<html><body>A report is attached.</body></html>", subtype="html")
    for kind, name, content in attached:
        main, _, sub = kind.partition("/")
        message.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return message.as_bytes()


def complaint(fields: str, original: str = "", *, kind: str = "message/rfc822") -> bytes:
    """A feedback report, with the mail that it tells of."""
    return (
        "From: <abuse@receiver.example>\r\nTo: <fbl@shop.example>\r\nDate: Thu, 01 Jan 2026 10:00:00 +0000\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nSomebody complained.\r\n"
        f"--b\r\nContent-Type: message/feedback-report\r\n\r\n{fields}\r\n"
        f"--b\r\nContent-Type: {kind}\r\n\r\n{original}\r\n--b--\r\n"
    ).encode()
