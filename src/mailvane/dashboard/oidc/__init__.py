"""Logging in with an OpenID Connect provider (OpenID Connect Core 1.0). Off unless the settings name an issuer."""
