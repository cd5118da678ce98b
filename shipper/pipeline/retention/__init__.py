"""Which session files may be removed, and their removal in two steps."""
