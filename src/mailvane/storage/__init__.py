"""The two stores, the mail log and the ledger, behind the protocols of `interface`."""
