"""Workspaces and keys over HTTP, and what becomes of a workspace's data when it is removed."""
