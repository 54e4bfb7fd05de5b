"""Questions to DNS resolvers, many at once: as bytes, on sockets, and what may be asked. Knows no list."""
