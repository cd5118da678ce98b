"""Forwards LLM calls byte for byte and appends them to JSONL files."""
