"""Follows JSONL files and pushes their lines to Grafana Loki."""
