"""The messages of a conversation, in whatever dialect: as a chain that later requests are compared with.

Requests and answers come in; links, marks and settings go out, equal for what is the same conversation.
"""
