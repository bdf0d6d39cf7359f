"""A run in the form that other tools open: tables, a database, lines of JSON, reports. See
docs/exports.md.
"""
