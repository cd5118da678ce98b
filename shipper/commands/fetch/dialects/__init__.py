"""Other dialects in the words of Anthropic's, in which ``message`` and ``reply`` read a conversation.

One module a dialect: messages of requests, whole answers and events of streams come in, content blocks and
their events go out. What a module does not know it returns as None.
"""
