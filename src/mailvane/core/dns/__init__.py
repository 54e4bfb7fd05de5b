"""Asking name servers, many questions at once."""
