"""Reports in Mailvane's own interface."""
