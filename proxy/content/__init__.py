"""What the bodies of a call say.

Request and response bytes come in; the model, the history, the usage, the stop reason, the tool calls
and the masked text go out. Every module is pure, and unknown or broken content is never an error.
"""
