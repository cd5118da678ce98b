"""The process: it accepts connections, relays each call, and ends in order on a signal."""
