"""Reputation in Mailvane's own interface."""
