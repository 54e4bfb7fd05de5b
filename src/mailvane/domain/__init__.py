"""Frozen values, enumerations and parsers that every layer above shares. No input, no output, no clock."""
