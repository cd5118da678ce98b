"""How answers travel: bytes, cut anywhere, to whole events, and long ones to what fits into memory."""
