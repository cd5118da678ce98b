"""A request's body as what is new in it and ranges of an earlier body of the same file.

Requests come in and go out, with ``body_delta`` in place of a body that repeats an earlier one. Of earlier
bodies only the keys and places of their pieces are kept. All modules are pure.
"""
