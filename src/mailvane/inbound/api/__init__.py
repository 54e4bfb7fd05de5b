"""Inbound mail in Mailvane's own interface: what the Cleanbox API has no path for."""
