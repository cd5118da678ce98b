"""The command line of ``llm-loki-ship``. Each command imports only what it needs."""
