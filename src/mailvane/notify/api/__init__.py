"""Notifications in Mailvane's own interface."""
