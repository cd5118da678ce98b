"""Which session a call belongs to.

The client's name for the session and the history of messages come in; a place in a session goes out: the
parent, a retry, a fork. Sessions of earlier runs are read back from their files.
"""
