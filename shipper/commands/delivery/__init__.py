"""``llm-loki-ship rejected``: what Loki refused for good, and sending it again."""
