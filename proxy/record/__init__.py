"""Records and the files that hold them.

A record comes in as a value and becomes one line, appended to its session's file in one write.
"""
