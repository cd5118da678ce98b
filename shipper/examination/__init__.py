"""What ``llm-loki-ship check`` looks at: thin probes that see, and pure verdicts on what was seen."""
