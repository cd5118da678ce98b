"""What the shipper counts, and the state that others see.

What happened comes in as values; one log line and one counter per event go out, and a snapshot of the
state.
"""
