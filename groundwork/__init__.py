"""What both processes need and no library gives; it imports neither of them.

- ``settings``: one value per key from flag, environment, file or default, with its origin
- ``program``: what the command lines of both have in common
- ``eventlog``: one structured line per event on stderr
- ``lock``: who holds a folder
- ``probe``: a health check that imports next to nothing
- ``text``: spans of time, long names and addresses as they are shown to people
- ``utf8``: bytes as text and as JSON strings
- ``histogram``: counts by bucket
- ``gc``: when Python's garbage collector runs
"""
