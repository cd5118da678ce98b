"""What must not stand in a log: secrets in headers, queries and paths, and where configured in bodies.

Names and values come in; the same text with its secrets masked goes out. A secret is known by its name
(``names``) or by its shape (``shapes``). A known prefix and the last four characters of a key stay readable.
"""
