"""Who may call, and with whose credentials.

Request heads come in; refusals in the client's dialect, callers and their limits, signatures for AWS and the
TLS context of the listener go out.
"""
