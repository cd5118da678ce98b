"""``llm-loki-ship status``: the state of a running shipper, or of the files when none runs."""
