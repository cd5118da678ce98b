"""``llm-loki-ship fetch``: a session's lines as they stood in the file, or as a conversation."""
