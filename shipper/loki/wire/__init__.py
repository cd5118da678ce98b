"""Connections to Loki: directly or through a proxy, with the certificates that are valid, in bounded time."""
