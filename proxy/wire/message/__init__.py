"""HTTP/1.1 messages as bytes (RFC 9112): heads in both directions, and the framing of bodies.

All of it is pure: bytes come in, values go out, and what breaks the rules raises.
"""
