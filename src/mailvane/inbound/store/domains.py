"""The domains that mail is taken for, each with its next hop."""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.exc import IntegrityError

from mailvane.core.errors import AlreadyExists, InvalidInput, NotFound
from mailvane.core.ledger.columns import plain, text_of, value_of
from mailvane.core.ledger.database import Database
from mailvane.inbound.model import InboundDomain
from mailvane.inbound.store.tables import addresses, domains


class InboundDomainStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, domain: InboundDomain) -> None:
        """Raises AlreadyExists: a name belongs to one workspace."""
        row = {"id": domain.id, "workspace": domain.workspace, "name": domain.name, "document": text_of(domain)}
        try:
            with self._database.write() as connection:
                connection.execute(domains.insert().values(row))
        except IntegrityError as error:
            raise AlreadyExists(f"mail for {domain.name} is taken already") from error

    def save(self, domain: InboundDomain) -> None:
        """Everything but its name. Raises NotFound."""
        changed = update(domains).where(*_one(domain.workspace, domain.id)).values(document=text_of(domain))
        with self._database.write() as connection:
            if not connection.execute(changed).rowcount:
                raise _missing(domain.id)

    def remove(self, workspace: int, domain_id: str) -> None:
        """Raises NotFound; InvalidInput while it has addresses."""
        with self._database.write() as connection:
            name = connection.execute(select(domains.c.name).where(*_one(workspace, domain_id))).scalar()
            if name is None:
                raise _missing(domain_id)
            inside = addresses.c.address.endswith(f"@{name}", autoescape=True)
            if connection.execute(select(addresses.c.id).where(inside).limit(1)).first() is not None:
                raise InvalidInput(f"{name} has addresses: remove them first")
            connection.execute(delete(domains).where(*_one(workspace, domain_id)))

    def named(self, name: str) -> InboundDomain | None:
        """The one of that canonical name, of whichever workspace."""
        return self._found(domains.c.name == plain(name))

    def domain(self, workspace: int, domain_id: str) -> InboundDomain | None:
        return self._found(*_one(workspace, domain_id))

    def domains(self, workspace: int | None = None) -> list[InboundDomain]:
        """By name; None: of all workspaces."""
        wanted = select(domains.c.document).order_by(domains.c.name)
        if workspace is not None:
            wanted = wanted.where(domains.c.workspace == workspace)
        with self._database.read() as connection:
            return [value_of(row.document, InboundDomain) for row in connection.execute(wanted)]

    def _found(self, *conditions: ColumnElement[bool]) -> InboundDomain | None:
        with self._database.read() as connection:
            document = connection.execute(select(domains.c.document).where(*conditions)).scalar()
        return None if document is None else value_of(document, InboundDomain)


def _one(workspace: int, domain_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return domains.c.workspace == workspace, domains.c.id == plain(domain_id)


def _missing(domain_id: str) -> NotFound:
    return NotFound(f"there is no domain {domain_id}")
