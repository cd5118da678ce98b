"""``llm-loki-ship sessions``: the latest sessions that Loki has."""
