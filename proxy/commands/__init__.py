"""The command line of ``llm-proxy``. Each command imports only what it needs."""
