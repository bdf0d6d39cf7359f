"""The fake itself: a request and the time in, a reply in its own time out.

No I/O, and no chance but its seed.
"""
