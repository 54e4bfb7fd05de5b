"""What every room stands on: errors, names, settings tables, the ledger's engine, tenants, DNS, the way out."""
