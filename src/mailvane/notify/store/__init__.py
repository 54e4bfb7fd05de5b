"""The ledger's part in telling people."""
