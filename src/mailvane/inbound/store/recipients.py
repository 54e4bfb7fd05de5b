"""What is known of the two ends of a mail, each in one look: recipients with their domains, addresses, mailboxes and
workspaces, and senders with the filters that they pass.

It is asked with every mail, so the statements are made once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, select

from mailvane.core.ledger.columns import plain, value_of
from mailvane.core.ledger.database import Database, PreparedChoice
from mailvane.inbound.model import Address, AddressType, Contact, Filter, InboundDomain, Team
from mailvane.inbound.store import contacts, filters
from mailvane.inbound.store.tables import addresses, domains, teams


class KnownRecipients(msgspec.Struct, frozen=True, kw_only=True):
    """Whatever was found."""

    domains: Mapping[str, InboundDomain]  # by canonical name
    addresses: Mapping[str, Address]  # by canonical name
    mailboxes: Mapping[str, Address]  # by id: those that the addresses belong to
    teams: Mapping[int, Team]  # by workspace: those of the domains


class KnownSenders(msgspec.Struct, frozen=True):
    """What a workspace has to say about them."""

    contacts: Mapping[str, Contact]  # by address: those that it knows
    filters: Sequence[Filter]  # in their order


class RecipientStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.reads_at_once = database.reads_at_once
        self._domains = PreparedChoice(_domains, domains.c.name)
        self._named = PreparedChoice(_addresses, addresses.c.address)
        self._by_id = PreparedChoice(_addresses, addresses.c.id)
        self._teams = PreparedChoice(_teams, teams.c.workspace)

    def known(self, domain_names: Iterable[str], names: Iterable[str]) -> KnownRecipients:
        """By canonical names of domains and of whole addresses; of whichever workspace. Raises StoreUnavailable."""
        with self._database.read_often() as connection:
            rows = self._domains.rows(connection, _plain(domain_names))
            found = [value_of(row.document, InboundDomain) for row in rows]
            listed = self._addresses(connection, self._named, _plain(names))
            ids = sorted({one.mailbox for one in listed if one.mailbox is not None})
            mailboxes = self._addresses(connection, self._by_id, ids)
            workspaces = sorted({one.workspace for one in found})
            saved = {row.workspace: row.document for row in self._teams.rows(connection, workspaces)}
        return KnownRecipients(
            domains={one.name: one for one in found},
            addresses={one.address: one for one in listed},
            mailboxes={one.id: one for one in mailboxes},
            teams={
                one: value_of(saved[one], Team) if one in saved else Team(workspace=one)  # without limits
                for one in workspaces
            },
        )

    def senders(self, emails: Mapping[int, Iterable[str]]) -> dict[int, KnownSenders]:
        """By workspace, as the addresses of senders are given. Raises StoreUnavailable."""
        with self._database.read_often() as connection:
            return {
                workspace: KnownSenders(
                    contacts.by_email(connection, workspace, sorted(some)), filters.in_order(connection, workspace)
                )
                for workspace, some in emails.items()
            }

    def _addresses(self, connection: Connection, choice: PreparedChoice, values: Sequence[str]) -> list[Address]:
        return [_address(row) for row in choice.rows(connection, values)]


def _plain(values: Iterable[str]) -> list[str]:
    return sorted({plain(value) for value in values})


def _address(row: Row[tuple[object, ...]]) -> Address:
    values = row._asdict()
    # As the driver gives it: SQLite has no truth values.
    return Address(**{**values, "type": AddressType(values["type"]), "active": bool(values["active"])})


def _domains(condition: ColumnElement[bool]) -> Select[tuple[str, str]]:
    return select(domains.c.name, domains.c.document).where(condition)


def _addresses(condition: ColumnElement[bool]) -> Select[tuple[object, ...]]:
    return select(addresses).where(condition)


def _teams(condition: ColumnElement[bool]) -> Select[tuple[int, str]]:
    return select(teams.c.workspace, teams.c.document).where(condition)
