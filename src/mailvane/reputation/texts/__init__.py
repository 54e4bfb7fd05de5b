"""Texts of notifications: evidence, mails, Slack messages."""
