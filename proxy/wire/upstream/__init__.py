"""HTTP/1.1 towards the providers: connections that are used again, and proxies on the way.

A request with its raw headers goes in; its answer comes out piece by piece as it arrives, or an
``UpstreamError`` in words for the client. Nothing is added to a request and nothing is decoded.
"""
