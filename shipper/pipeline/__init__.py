"""The way of a line from the folder to the checkpoint; the one room that knows the order of all others.

File events, answers of Loki and the time come in; pushes and checkpoints go out. A range of bytes is
acknowledged only when Loki has all of it or has refused it for good.
"""
