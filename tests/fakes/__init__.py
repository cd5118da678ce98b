"""A provider and a Loki that misbehave on command, shared by tests, demo and benchmarks.

- ``wire``: bytes -> requests (pure)
- ``reply``: answers as bytes, or as steps of bytes, pauses and faults (pure)
- ``server``: plays them over TCP, in a thread of a test or as a process of its own
- ``provider``: speaks the wire formats of Anthropic and OpenAI
- ``loki``: enforces Loki's limits and answers its queries
"""
