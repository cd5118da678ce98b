"""The status page, and the report behind it and behind ``llm-loki-ship status``."""
