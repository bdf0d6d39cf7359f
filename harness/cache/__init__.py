"""The cache and the journal: one SQLite file, its thread, its schema, what is asked of it and what
tends it.
"""
