"""Live updates: what has changed since a page was drawn, and the streams that tell it."""
