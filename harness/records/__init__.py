"""The form on disk: rows, `run.json` and their one reader; values of the domain as JSON and
back.
"""
