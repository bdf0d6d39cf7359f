"""Whole nights on virtual time: the real engine over a provider and a disk that misbehave by a
seed.
"""
