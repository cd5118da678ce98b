"""What is acknowledged, and the memory of it across restarts.

Acknowledged ranges come in; a file's offset moves over those without a gap. The state folder holds
offsets, pushes in flight and rejected lines.
"""
