"""The ledger's engine: connections, transactions, migrations, copies. Each room has its own tables and stores."""
