"""Lines to entries: the reader's half of the contract on disk."""
