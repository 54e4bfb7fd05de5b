"""What the ledger holds of inbound mail, a store for each subject."""
