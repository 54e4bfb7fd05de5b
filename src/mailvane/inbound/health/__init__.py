"""The health report: collected from this server or any Cleanbox-compatible one, analysed, and told."""
