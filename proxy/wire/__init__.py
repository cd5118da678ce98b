"""HTTP as it is on the wire, on both sides of a call.

Bytes of a client come in and become a call that is admitted and routed; its request leaves for the
upstream, and the answer comes back. The room promises that bytes pass unchanged, and keeps no record of
them.
"""
