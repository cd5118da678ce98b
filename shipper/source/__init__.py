"""Session files and their lines.

Paths and file events come in; complete lines with the bytes that they span go out. The room promises
that a file keeps its identity through renames and rewrites, and that a torn last line stays in its file.
"""
