"""Files in folders that others may write too: opened without following a link, and locked."""
