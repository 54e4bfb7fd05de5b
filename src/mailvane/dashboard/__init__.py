"""Mail operations in the browser: people, sessions, pages."""
