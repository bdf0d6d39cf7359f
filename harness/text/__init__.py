"""Texts for people: how amounts are written, and what makes foreign text safe where it goes."""
