"""Where a session's lines come from: Loki or its file."""
