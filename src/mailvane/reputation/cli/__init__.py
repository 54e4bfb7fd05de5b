"""Commands on reputation."""
