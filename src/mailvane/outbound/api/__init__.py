"""Outbound governance in Mailvane's own interface."""
