"""What Alembic runs for every command: use the connection it was given, within that connection's transaction.

There is no offline mode: the ledger is only ever migrated by opening it.
"""

from __future__ import annotations

from alembic import context

from mailvane.core.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
