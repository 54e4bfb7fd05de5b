"""A workspace is removed with all that is its own and nothing else, on every pair of stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailvane.core.errors import InvalidInput, LedgerMismatch, NotPossible
from mailvane.core.ledger.tables import metadata
from mailvane.core.tenants.model import KeyKind, Workspace
from mailvane.core.tenants.service import Tenancy
from mailvane.maillog.clickhouse import ClickHouseMailLog
from mailvane.maillog.integrity import Integrity
from mailvane.maillog.model import JournalEntry
from mailvane.maillog.ownership import Ownership
from mailvane.maillog.recording import Recorder
from mailvane.notify.model import SlackIntegration
from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.clients import Terms
from mailvane.outbound.governance import Governance
from mailvane.outbound.model import SendRequest
from mailvane.server.ledger import Ledger
from mailvane.server.tenants.removal import WorkspaceRemoval
from tests.contract.maillogs import ledger_url, maillog_dsn
from tests.contract.new_stores import ledger, maillog
from tests.contract.test_ownership import NOW, batch, dsn

__all__ = ["dsn", "ledger", "ledger_url", "maillog", "maillog_dsn"]


class Node:
    """One of several processes on the same stores."""

    def __init__(self, ledger: Ledger, maillog: ClickHouseMailLog, *named: tuple[str, str]) -> None:
        self.ownership = Ownership(ledger.tenants, ledger.adoption, maillog)
        self.recorder = Recorder(ledger.journal, self.ownership)
        integrity = Integrity(ledger.maillog_record, maillog, lambda: NOW, alone=False)
        integrity.look()
        self.removal = WorkspaceRemoval(ledger.tenants, self.ownership, self.recorder, integrity, named)

    def take(self, token: str, workspace: int) -> None:
        self.recorder.record(JournalEntry(batch=batch(token, workspace)), NOW)
        self.recorder.drain()


def populated(ledger: Ledger, node: Node, name: str) -> Workspace:
    """A workspace that has something in many a table, and mail."""
    tenancy = Tenancy(ledger.tenants, "")
    workspace = tenancy.create_workspace(name, NOW)
    tenancy.create_relay(workspace.id, "", NOW)
    tenancy.create_key(KeyKind.WORKSPACE, workspace.id, NOW)
    ledger.clients.add_client(workspace.id, f"token-of-{name}-0123456789", Terms(domains_allowed=2), NOW)
    governance = Governance(ledger.domains, ledger.billing, ledger.tenants, GovernanceRules())
    governance.create(f"{name}.example", workspace.id, NOW)
    governance.decide([SendRequest(domain=f"{name}.example")], NOW)
    ledger.channels.add_slack_integration(
        SlackIntegration(id=name, workspace=workspace.id, name=name, url="https://slack.example/x", created_at=NOW)
    )
    node.take(name, workspace.id)
    return workspace


def rows(ledger: Ledger) -> dict[str, int]:
    with ledger.database.read() as connection:
        return {table.name: len(connection.execute(table.select()).all()) for table in metadata.sorted_tables}


def test_all_of_it_goes_and_nothing_of_another(ledger: Ledger, maillog: ClickHouseMailLog) -> None:
    node = Node(ledger, maillog)
    other = populated(ledger, node, "other")
    before, kept = rows(ledger), ledger.tenants.rows_of(other.id)
    acme = populated(ledger, node, "acme")
    held = node.removal.holdings("acme")
    assert (held.workspace, held.name, held.events) == (acme.id, "acme", 4)
    expected = {"workspaces": 1, "relays": 1, "keys": 2, "client_terms": 1, "domains": 1, "notification_channels": 1}
    assert {name: held.rows.get(name) for name in expected} == expected
    assert node.removal.remove("acme", NOW) == held
    after = rows(ledger)
    assert after.pop("removed_workspaces") == 1
    before.pop("removed_workspaces")
    shared = {"maillog_record", "decision_minutes"}
    assert {name: count for name, count in after.items() if before[name] != count and name not in shared} == {}
    assert ledger.tenants.rows_of(acme.id) == {}
    assert ledger.tenants.rows_of(other.id) == kept
    assert (maillog.holding(acme.id).events, maillog.holding(other.id).events) == (0, 4)
    with pytest.raises(InvalidInput, match="acme"):
        node.removal.remove("acme", NOW)
    assert Tenancy(ledger.tenants, "").create_workspace("acme", NOW).id > acme.id  # the number is not given again


def test_mail_that_another_node_was_carrying_is_dropped_by_and_by(ledger: Ledger, maillog: ClickHouseMailLog) -> None:
    one, two = Node(ledger, maillog), Node(ledger, maillog)
    acme = populated(ledger, two, "acme")
    one.removal.remove("acme", NOW)
    two.ownership.append(batch("late", acme.id))  # it knew the workspace a moment ago
    assert maillog.holding(acme.id).events == 4
    one.ownership.check()  # no start is refused for this
    two.removal.sweep()
    assert maillog.holding(acme.id).events == 0
    for node in (one, two):  # a log that is followed still
        node.take(f"later{id(node)}", acme.id)
        assert (node.recorder.backlog(), maillog.holding(acme.id).events) == (0, 0)
        node.ownership.check()


def test_strange_mail_is_still_refused(ledger: Ledger, maillog: ClickHouseMailLog) -> None:
    """Whoever removed a workspace is no reason to take another ledger's mail for it."""
    node = Node(ledger, maillog)
    acme = populated(ledger, node, "acme")
    with ledger.database.write() as connection:
        connection.execute(metadata.tables["removed_workspaces"].insert().values(
            id=acme.id, name="acme", created_at=acme.created_at - 1, removed_at=NOW
        ))  # fmt: skip
        connection.execute(metadata.tables["workspaces"].update().values(created_at=acme.created_at + 1))
    with pytest.raises(LedgerMismatch):
        node.ownership.check()


def test_a_workspace_that_settings_name_stays(ledger: Ledger, maillog: ClickHouseMailLog, tmp_path: Path) -> None:
    node = Node(ledger, maillog, ("acme", "[[postfix]] 1"))
    populated(ledger, node, "acme")
    before = rows(ledger)
    with pytest.raises(NotPossible, match=r"\[\[postfix\]\] 1"):
        node.removal.remove("acme", NOW)
    assert rows(ledger) == before
