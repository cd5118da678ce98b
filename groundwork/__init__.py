"""What both processes need and no library gives; knows nothing of either.

- ``duration``: ``1m30s`` to seconds and back
- ``bytesize``: ``64MiB`` to bytes and back
- ``conversion``: a value as found to its declared kind, or a reason in plain words
- ``settings``: one value per key from flag, environment, file or default, with its origin
- ``flags``: the command-line flags of a settings class
- ``program``: what the command lines of both have in common
- ``eventlog``: one structured line per event on stderr
- ``lock``: who holds a folder
- ``probe``: a health check that imports next to nothing
"""
