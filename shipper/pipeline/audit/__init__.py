"""Reads back what Loki acknowledged: files against Loki, by stream and window.

Session files and Loki's answers come in; what is missing, cut, doubled or foreign goes out, named by file and
line.
"""
