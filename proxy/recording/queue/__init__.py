"""The queue between the event loop and the recorder, bounded in bytes, and the thread that empties it."""
