"""What health reports keep in the ledger."""
