"""Mailvane: a self-hosted email operations server."""

__version__ = "0.1.0"
