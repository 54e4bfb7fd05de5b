"""Use cases, one module per noun. They take values and protocols, never a request, a socket or an engine."""
