"""``llm-loki-ship run``: the life of the process, from its start to the last delivery."""
