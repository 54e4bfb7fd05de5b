"""`mailvane dmarc` on a terminal: files in, senders out."""

from __future__ import annotations

import gzip
import json
import time
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
