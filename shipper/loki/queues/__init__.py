"""What waits for Loki, by stream: batches, retries and pushes in flight.

Entries and outcomes come in, pushes go out. One push of a stream is in flight at a time.
"""
