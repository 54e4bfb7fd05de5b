"""The Cleanbox API, as unmodified clients of it ask."""
