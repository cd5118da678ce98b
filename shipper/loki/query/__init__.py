"""What Loki has: LogQL queries and their answers.

A query comes in, rows go out, page by page. ``verify`` compares the rows with the entries of a push of
unknown fate.
"""
