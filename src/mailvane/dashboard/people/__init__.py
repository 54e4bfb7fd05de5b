"""Who may look at the dashboard: people, what they may do in which workspace, and their sessions."""
