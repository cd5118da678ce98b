"""File events: what tells of changes, and whether it does."""
