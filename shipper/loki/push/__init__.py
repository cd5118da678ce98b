"""One push: its encoding, its way to Loki, and what the answer means."""
