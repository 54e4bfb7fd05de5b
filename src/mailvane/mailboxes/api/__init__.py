"""Mailboxes in Mailvane's own interface."""
