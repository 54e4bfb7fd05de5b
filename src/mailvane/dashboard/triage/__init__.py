"""Decisions about held mail that a person may take back for ten seconds, because a mail that has gone out may not."""
