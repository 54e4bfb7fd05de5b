"""Workspaces, relays and keys."""
