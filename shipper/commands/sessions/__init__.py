"""The sessions: ``llm-loki-ship sessions`` lists those in Loki, ``explore`` shows them as web pages."""
