"""A forecast of a run: a recorded run, fitted, and the real engine run over it on virtual
time.
"""
