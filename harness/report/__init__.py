"""A run as a page that people like to look at: one file that needs nothing, or a view that follows
what happens.
"""
