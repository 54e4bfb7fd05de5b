"""The HTTP server: connections, dialects, keys, threads, and the table of routes that rooms fill."""
