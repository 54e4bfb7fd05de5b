"""The mail log's part of the ledger: the journal."""
