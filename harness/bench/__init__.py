"""Benchmarks: the same workflow under several limits, against its lower bound, and one benchmark
against another.
"""
