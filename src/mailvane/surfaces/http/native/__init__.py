"""Mailvane's own HTTP interface: mail events in, and the mail log for our own command line."""
