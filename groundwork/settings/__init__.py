"""Configuration as both processes read it: one value per key from flag, environment, file or default.

A declared settings class and its sources come in; checked values, each with its origin, or an error that
names key, value and source go out.
"""
