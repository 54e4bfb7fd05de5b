"""The mail log in Mailvane's own interface."""
