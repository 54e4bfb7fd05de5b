"""The addresses that mail is taken for: mailboxes, aliases of them, and relay addresses."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from mailvane.core.errors import AlreadyExists, InvalidInput, NotFound
from mailvane.core.ledger.columns import plain
from mailvane.core.ledger.database import Database
from mailvane.inbound.model import Address, AddressType
from mailvane.inbound.questions import AddressPage, AddressQuestion
from mailvane.inbound.store.tables import addresses


class AddressStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, address: Address) -> None:
        """Raises AlreadyExists; InvalidInput for an alias whose mailbox is none of the workspace."""
        try:
            with self._database.write() as connection:
                _check_mailbox(connection, address)
                connection.execute(insert(addresses).values(_row(address)))
        except IntegrityError as error:
            raise AlreadyExists(f"{address.address} exists already") from error

    def save(self, address: Address) -> None:
        """Everything but type, name and time of creation. Raises NotFound, InvalidInput as `add` does."""
        values = {name: value for name, value in _row(address).items() if name not in ("type", "address", "created_at")}
        with self._database.write() as connection:
            _check_mailbox(connection, address)
            if not connection.execute(
                update(addresses).where(*_one(address.workspace, address.id)).values(values)
            ).rowcount:
                raise _missing(address.id)

    def remove(self, workspace: int, address_id: str) -> Address:
        """What it was. Raises NotFound; InvalidInput for a mailbox that has aliases."""
        with self._database.write() as connection:
            row = connection.execute(select(addresses).where(*_one(workspace, address_id))).one_or_none()
            if row is None:
                raise _missing(address_id)
            if connection.execute(select(addresses.c.id).where(addresses.c.mailbox == row.id).limit(1)).first():
                raise InvalidInput(f"{row.address} has aliases: remove them first")
            connection.execute(delete(addresses).where(*_one(workspace, address_id)))
        return _address(row)

    def address(self, workspace: int, address_id: str) -> Address | None:
        """By id, or by the address itself."""
        known_by = addresses.c.address if "@" in address_id else addresses.c.id
        wanted = select(addresses).where(addresses.c.workspace == workspace, known_by == plain(address_id))
        with self._database.read() as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else _address(row)

    def page(self, question: AddressQuestion, offset: int = 0, limit: int = 25) -> AddressPage:
        conditions = [addresses.c.workspace == question.workspace]
        if question.type is not None:
            conditions.append(addresses.c.type == question.type.value)
        if question.mailbox is not None:
            conditions.append(addresses.c.mailbox == plain(question.mailbox))
        newest = select(addresses).where(*conditions).order_by(addresses.c.created_at.desc(), addresses.c.id.desc())
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).select_from(addresses).where(*conditions)).scalar_one()
            return AddressPage(total, [_address(row) for row in connection.execute(newest.offset(offset).limit(limit))])

    def count(self, workspace: int, type_: AddressType) -> int:
        return self.page(AddressQuestion(workspace=workspace, type=type_), 0, 0).total

    def named(self, names: Sequence[str]) -> dict[str, Address]:
        """Those of these canonical names, by name, of whichever workspace."""
        return self._by(addresses.c.address, names, "address")

    def by_id(self, ids: Sequence[str]) -> dict[str, Address]:
        """Those of these ids, by id, of whichever workspace."""
        return self._by(addresses.c.id, ids, "id")

    def _by(self, column: ColumnElement[str], values: Sequence[str], field: str) -> dict[str, Address]:
        if not values:
            return {}
        with self._database.read() as connection:
            rows = connection.execute(select(addresses).where(column.in_([plain(value) for value in values])))
            return {getattr(row, field): _address(row) for row in rows}


def _check_mailbox(connection: Connection, address: Address) -> None:
    if (address.mailbox is not None) != (address.type is AddressType.ALIAS):
        raise InvalidInput("an alias has a mailbox, and no other address has one")
    if address.mailbox is None:
        return
    kind = select(addresses.c.type).where(*_one(address.workspace, address.mailbox))
    if connection.execute(kind).scalar() != AddressType.MAILBOX:
        raise InvalidInput(f"there is no mailbox {address.mailbox}")


def _one(workspace: int, address_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return addresses.c.workspace == workspace, addresses.c.id == plain(address_id)


def _row(address: Address) -> dict[str, object]:
    row = msgspec.structs.asdict(address)
    return {**row, "type": address.type.value, "label": plain(address.label), "address": plain(address.address)}


def _address(row: Row[tuple[object, ...]]) -> Address:
    values = row._asdict()
    return Address(**{**values, "type": AddressType(values["type"])})


def _missing(address_id: str) -> NotFound:
    return NotFound(f"there is no address {address_id}")
