"""`mailvane domain` and `mailvane quota` beside a running server that decides."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import httpx
import pytest

from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.governance import Governance
from mailvane.outbound.model import ProofBegun
from mailvane.server.ledger import open_ledger
from tests.acceptance.installation import Installation
from tests.waiting import PATIENCE


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "data")


def increment(installation: Installation, name: str, times: int) -> list[str | None]:
    token = (installation.data / "master-token").read_text().strip()
    with httpx.Client(base_url=installation.url, headers={"Authorization": f"Bearer {token}"}) as client:
        answers = [client.post(f"/domains/{name}/outbound/increment").json() for _ in range(times)]
    return [answer["reason"] for answer in answers]


def test_what_is_set_beside_a_server_holds_for_its_next_decision(installation: Installation) -> None:
    with installation.serving():
        installation.run("domain", "create", "Example.org")
        assert increment(installation, "example.org", 8) == [None] * 8
        installation.run("domain", "set", "example.org", "--daily-limit", "10")
        assert increment(installation, "example.org", 3) == [None, None, "daily_limit_exceeded"]
        installation.run("domain", "set", "example.org", "--enforcement", "soft")
        assert increment(installation, "example.org", 1) == ["daily_limit_exceeded_soft"]
        installation.run("domain", "suspend", "example.org")
        assert increment(installation, "example.org", 1) == ["outbound_suspended_soft"]
        installation.run("domain", "suspend", "example.org", "--whole")
        assert increment(installation, "example.org", 1) == ["outbound_suspended"]
        installation.run("domain", "activate", "example.org")
        shown = installation.answer("domain", "show", "example.org")
        replayed = installation.answer("quota", "what-if", "--domain", "example.org", "--daily", "4")
        asked, told = replayed["asked"], installation.run("quota", "what-if", "--domain", "example.org", "--daily", "4")
    assert (shown["domain"]["status"], shown["domain"]["closed"]) == ("active", False)
    assert shown["usage"]["sent_today"] in {0, 12}, "0 where midnight came in between"
    assert [entry["action"] for entry in shown["audit"]] == [
        "reopened",
        "closed",
        "suspended",
        "limits_changed",
        "limits_changed",
        "created",
    ]
    assert {entry["actor"] for entry in shown["audit"]} == {"command line"}
    assert (asked, replayed["passed_then"]) == (14, 12)
    assert replayed["stopped"] == sum(day["stopped"] for day in replayed["days"]) >= 6
    assert "4 a day" in told.stdout
    assert "daily_limit_exceeded" in told.stdout


def test_domains_are_listed_shown_and_removed(installation: Installation) -> None:
    for name in ("acme", "other"):
        installation.run("workspace", "create", name)
    installation.run("domain", "create", "a.example", "--workspace", "acme")
    installation.run("domain", "create", "b.example", "--workspace", "other")
    assert [each["domain"]["name"] for each in installation.answer("domain", "list")] == ["b.example", "a.example"]
    assert [each["domain"]["name"] for each in installation.answer("domain", "list", "--workspace", "acme")] == [
        "a.example"
    ]
    assert "a.example" in installation.run("domain", "list").stdout
    installation.run("domain", "guillotine", "a.example", "--minimum-volume", "50", "--confident")
    assert "from 50 mails, by the lower bound (its own)" in installation.run("domain", "show", "a.example").stdout
    installation.run("domain", "guillotine", "a.example", "--reset")
    assert installation.answer("domain", "show", "a.example")["domain"]["guillotine"] is None
    installation.run("domain", "remove", "a.example", "--yes")
    assert [each["domain"]["name"] for each in installation.answer("domain", "list")] == ["b.example"]


def test_a_domain_without_a_workspace_goes_where_there_is_no_doubt(installation: Installation) -> None:
    def home() -> list[str]:
        return [one["name"] for one in installation.answer("workspace", "list")]

    told = installation.run("domain", "create", "a.example")
    assert "there was no workspace: a.example belongs to a new one, `default`" in told.stderr
    assert home() == ["default"]
    installation.run("workspace", "create", "acme")
    assert installation.run("domain", "create", "b.example").stderr == ""
    assert [one["domain"]["name"] for one in installation.answer("domain", "list", "--workspace", "acme")] == []


def test_a_domain_joins_the_only_workspace_and_none_is_made_beside_it(installation: Installation) -> None:
    installation.run("workspace", "create", "acme")
    installation.run("domain", "create", "a.example")
    assert [one["name"] for one in installation.answer("workspace", "list")] == ["acme"]
    installation.run("alerts", "list")  # nobody has to say which workspace is meant
    installation.run("workspace", "create", "other")
    assert "--workspace: acme, other" in installation.run("domain", "create", "b.example", succeeds=False).stderr


def test_there_is_a_way_back_from_a_proof_that_was_begun(installation: Installation) -> None:
    with installation.serving():
        installation.run("domain", "create", "a.example")
        token = (installation.data / "master-token").read_text().strip()
        path, headers = f"{installation.url}/domains/a.example", {"Authorization": f"Bearer {token}"}

        def passes() -> bool:
            answer = httpx.post(f"{path}/outbound/increment", headers=headers, timeout=PATIENCE)
            return bool(answer.json()["allowed"])

        assert passes()
        with closing(open_ledger(f"sqlite:///{installation.data / 'ledger.sqlite'}")) as ledger:
            governance = Governance(ledger.domains, ledger.billing, ledger.tenants, GovernanceRules())
            governance.verification_started("a.example", ProofBegun(token="t"), "test", 1)
        assert not passes()
        installation.run("domain", "set", "a.example", "--verification", "none")
        assert passes()
        audit = installation.answer("domain", "audit", "a.example")
        assert [entry["action"] for entry in audit[:2]] == ["verification_set", "verification_started"]


def test_a_removed_domain_is_kept_until_its_month_is_frozen(installation: Installation) -> None:
    installation.run("domain", "create", "a.example")
    installation.run("domain", "set", "a.example", "--daily-limit", "5")
    installation.run("domain", "suspend", "a.example")
    installation.run("domain", "remove", "a.example", "--yes")
    assert installation.answer("domain", "list") == []
    (kept,) = installation.answer("domain", "list", "--removed")
    shown = installation.answer("domain", "show", "a.example")
    assert kept["domain"] == shown["domain"]
    assert (shown["domain"]["status"], shown["domain"]["daily_limit"]) == ("suspended", 5)
    assert "removed, suspended" in installation.run("domain", "show", "a.example").stdout
    audit = installation.answer("domain", "audit", "a.example")
    assert [(each["action"], each["actor"]) for each in audit[:1] + audit[-1:]] == [
        ("removed", "command line"),
        ("created", "command line"),
    ]
    assert "there is no domain" in installation.run("domain", "activate", "a.example", succeeds=False).stderr
    installation.run("domain", "create", "A.example.")
    again = installation.answer("domain", "show", "a.example")["domain"]
    assert (again["id"], again["status"], again["daily_limit"]) == (shown["domain"]["id"], "suspended", 5)


def test_a_domain_that_a_tenant_claims_is_approved_and_not(installation: Installation) -> None:
    with installation.serving():
        installation.run("workspace", "create", "acme")
        key = installation.answer("key", "create", "--kind", "workspace", "--workspace", "acme")["token"]
        with httpx.Client(base_url=installation.url, headers={"X-API-KEY": key}) as client:
            assert client.post("/domains", json={"name": "gmail.com"}).status_code == 201
    assert "claimed, active" in installation.run("domain", "list").stdout
    assert installation.answer("domain", "approve", "gmail.com")["domain"]["approved"]
    assert not installation.answer("domain", "approve", "gmail.com", "--withdraw")["domain"]["approved"]
    installation.run("domain", "suspend", "gmail.com")
    shown = installation.answer("domain", "show", "gmail.com")
    assert (shown["domain"]["approved"], shown["domain"]["status"]) == (True, "suspended"), "it is to stop everywhere"
    audit = [each["action"] for each in installation.answer("domain", "audit", "gmail.com")]
    assert audit == ["suspended", "approval_withdrawn", "approved", "created"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["show", "nothing.example"], "there is no domain"),
        (["create", "localhost"], "is not the name of a domain"),
        (["create", "a.example", "--workspace", "nobody"], "no workspace named"),
        (["set", "nothing.example", "--daily-limit", "1"], "there is no domain"),
        (["remove", "nothing.example", "--yes"], "there is no domain"),
        (["audit", "nothing.example"], "there is no domain"),
        (["approve", "nothing.example"], "there is no domain"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(installation: Installation, words: list[str], told: str) -> None:
    refused = installation.run("domain", *words, succeeds=False)
    assert refused.returncode == 1
    assert told in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_the_settings_rule_what_the_server_decides(installation: Installation) -> None:
    (installation.data / "mailvane.toml").write_text("[outbound]\nrequire_verification = true\n")
    with installation.serving():
        installation.run("domain", "create", "example.org")
        assert increment(installation, "example.org", 1) == ["domain_not_verified"]
