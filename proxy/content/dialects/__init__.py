"""How providers write requests, answers and streams: one module a dialect, each with its ``DIALECT``.

A dialect is told by the shape of what it says, not by the host, as many hosts speak the same. To add one,
write its module as ``dialect.py`` describes, and list it in ``proxy/content/answer.py``.
"""
