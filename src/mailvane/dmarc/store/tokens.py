"""Refresh tokens of the report mailbox that replaced others, in the ledger, where every node finds them."""

from __future__ import annotations

import msgspec
from sqlalchemy import select

from mailvane.core.ledger.database import Database
from mailvane.dmarc.oauth import KeptToken
from mailvane.dmarc.store.tables import oauth_tokens


class TokenStore:
    """For any number of threads and processes on one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def kept_token(self, name: str) -> KeptToken | None:
        with self._database.read() as connection:
            row = connection.execute(select(oauth_tokens).where(oauth_tokens.c.name == name)).one_or_none()
        return None if row is None else KeptToken(**row._asdict())

    def keep_token(self, token: KeptToken) -> None:
        """In place of the one before."""
        with self._database.write() as connection:
            connection.execute(self._database.upsert(oauth_tokens), msgspec.structs.asdict(token))
