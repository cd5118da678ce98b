"""Everything that talks to Loki: pushes, the queues before them, and queries.

Entries come in; outcomes go out as values. The room promises that a 204 is trusted only for a push of
which Loki cannot refuse a part.
"""
