"""The ledger's schema, step by step. Alembic runs these; nothing imports them."""
