"""A report mailbox by Microsoft Graph at a running server: reports arrive, and what keeps them away is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.acceptance.installation import Installation
from tests.unit.dmarc.mail_services import MailService
from tests.unit.dmarc.reports import aggregate, mail_with

REPORT = mail_with(("application/xml", "report.xml", aggregate()))


def test_reports_arrive_by_graph_and_a_grant_that_was_revoked_is_said(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    with MailService(REPORT).running() as service:
        oauth = tmp_path / "oauth.json"
        fields = {"token_url": f"{service.url}/token", "client_id": "c", "client_secret": "S3CRET"}
        oauth.write_text(json.dumps({**fields, "refresh_token": "first"}))
        (installation.data / "mailvane.toml").write_text(
            "[reputation.reports_mailbox]\n"
            f'via = "graph"\nuser = "me@shop.example"\noauth_file = "{oauth}"\n'
            f'api_url = "{service.url}/graph"\nworkspace = "acme"\n'
        )
        _, token = installation.tenant("acme")

        def health() -> dict[str, Any]:
            found = installation.get("/mailvane/v1/sources", token)
            return next((each for each in found if each["source"] == "dmarc"), {})

        service.rotates = True
        with installation.serving():
            installation.wait_for(lambda: not service.unread)
            assert installation.answer("dmarc", "show")
        service.refresh_tokens = {"another"}
        with installation.serving():
            installation.wait_for(lambda: "invalid_grant" in health().get("error", ""))
            told = installation.run("doctor", succeeds=False).stdout
            assert "report mailbox" in told
            assert "agree anew" in " ".join(told.partition("report mailbox")[2].split()).partition("! ")[0]
            assert "S3CRET" not in told + json.dumps(health()) + installation.log.read_text()
        assert service.forms[-1]["refresh_token"] == "rotated-1", "it is kept over the restart"
        service.refresh_tokens = {"rotated-1"}
        with installation.serving():
            installation.wait_for(lambda: not health()["failures"])
