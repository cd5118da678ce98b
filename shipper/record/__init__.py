"""A line becomes entries: the reader's half of the contract on disk.

Bytes of a line come in; timestamp, labels, metadata and text of one or more entries go out, a pure
function of the line, its place and the configuration.
"""
