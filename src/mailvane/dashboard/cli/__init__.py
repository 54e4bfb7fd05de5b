"""Commands about the dashboard."""
