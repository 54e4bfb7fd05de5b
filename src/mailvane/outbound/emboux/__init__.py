"""The Emboux API."""
