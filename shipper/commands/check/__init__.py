"""``llm-loki-ship check``: thin probes that observe, and pure verdicts on what they found."""
