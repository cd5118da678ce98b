"""``llm-loki-ship explore``: the sessions as web pages, from the files or from Loki."""
