"""A call becomes records, beside the call and never in its way.

A capture of the call comes in through a bounded queue; one thread turns it into a request and a
response. When the queue is full, bodies are left out first and records last, and each is counted.
"""
