"""The Emboux API: sending domains, their quotas and verification, and customers' keys."""
