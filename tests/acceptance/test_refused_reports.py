"""Reports that arrive and cannot be read: set aside once, and shown by the server, by the doctor and in the metrics."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path

from tests.acceptance.installation import HTTP, Installation
from tests.unit.dmarc.imap_server import ImapServer
from tests.unit.dmarc.reports import aggregate, mail_with
from tests.waiting import PATIENCE

BOMB = gzip.compress(gzip.compress(b"<feedback>") + gzip.compress(b" " * (1 << 20)) * 400)  # packed twice
TOO_OFTEN = gzip.compress(gzip.compress(gzip.compress(b"<feedback></feedback>")))


def test_what_was_refused_is_shown_with_the_newest_reason(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    _, key = installation.tenant("acme")
    arrivals = tmp_path / "reports"
    arrivals.mkdir()
    (installation.data / "mailvane.toml").write_text(
        f'[reputation.reports_directory]\npath = "{arrivals}"\nworkspace = "acme"\n'
    )
    (arrivals / "bomb.xml.gz").write_bytes(BOMB)
    (arrivals / "thrice.xml.gz").write_bytes(TOO_OFTEN)
    for path in arrivals.iterdir():
        os.utime(path, (0, 0))  # nobody writes to it any more
    with installation.serving():

        def refused() -> bool:
            told = installation.get("/mailvane/v1/sources", key)
            return sum(int(each.get("refused", 0)) for each in told) == 2

        installation.wait_for(refused)
        (sources,) = [check for check in installation.answer("doctor") if check["name"] == "sources"]
        assert sources["result"] == "warning"
        assert "dmarc: 2 report(s) refused so far, the last 0 h " in sources["finding"]

        def counted() -> bool:
            lines = HTTP.get(f"{installation.url}/metrics", timeout=PATIENCE).text.splitlines()
            return 'mailvane_reports_refused{source="dmarc"} 2.0' in lines

        installation.wait_for(counted)
    reasons = {path.name: path.read_text() for path in (arrivals / "refused").glob("*.reason")}
    assert sorted(reasons) == ["bomb.xml.gz.reason", "thrice.xml.gz.reason"]
    assert "one part of it has more than" in reasons["bomb.xml.gz.reason"]
    assert "an archive in an archive" in reasons["thrice.xml.gz.reason"]


def test_in_a_mailbox_what_is_refused_is_flagged_and_hides_no_genuine_report(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    installation.tenant("acme")
    ended = int(time.time()) - 86_400
    genuine = gzip.compress(gzip.compress(aggregate(span=(ended - 86_400, ended))))  # packed again on the way
    mails = [mail_with(("application/gzip", "r.xml.gz", genuine))]
    mails += [mail_with(("application/gzip", "r.xml.gz", packed)) for packed in (BOMB, TOO_OFTEN)]
    password = tmp_path / "password"
    password.write_text("secret")
    with ImapServer(*mails).running() as server:
        (installation.data / "mailvane.toml").write_text(
            f'[reputation.reports_mailbox]\nhost = "127.0.0.1"\nport = {server.port}\nsecurity = "none"\n'
            f'user = "me"\npassword_file = "{password}"\nworkspace = "acme"\n'
        )
        with installation.serving():

            def counted() -> bool:
                lines = HTTP.get(f"{installation.url}/metrics", timeout=PATIENCE).text.splitlines()
                return 'mailvane_reports_refused{source="dmarc"} 2.0' in lines

            installation.wait_for(counted)
            installation.wait_for(lambda: server.seen == {101, 102, 103})
            assert server.flagged == {102, 103}
            shown = installation.answer("dmarc", "show", "--workspace", "acme")
            assert "shop.example" in str(shown)
