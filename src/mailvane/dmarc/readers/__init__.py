"""Readers of reports, by format."""
