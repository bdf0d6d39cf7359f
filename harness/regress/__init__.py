"""Prompt regression: replay a recording, check what comes out, compare runs. Reads rows and spans,
and pays nothing.
"""
