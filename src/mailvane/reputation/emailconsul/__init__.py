"""The EmailConsul alerts API."""
