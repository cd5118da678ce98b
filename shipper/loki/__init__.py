"""Entries to acknowledged pushes."""
