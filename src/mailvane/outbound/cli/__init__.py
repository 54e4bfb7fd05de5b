"""Commands on sending domains."""
