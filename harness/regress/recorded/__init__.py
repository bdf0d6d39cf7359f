"""Recordings: made from runs, replayed, and what is missing in them."""
