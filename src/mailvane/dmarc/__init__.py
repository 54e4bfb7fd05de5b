"""Reports about one's mail that others send: DMARC aggregates, TLS sessions, failures and complaints."""
