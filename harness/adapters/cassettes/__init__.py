"""Recordings as lines of JSON, kept beside the code."""
