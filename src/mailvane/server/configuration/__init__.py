"""Configuration as a file: what is kept in the ledger, exported as TOML, compared with a file, and made as it says."""
