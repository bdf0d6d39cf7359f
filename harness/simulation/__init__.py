"""What a night would take: a recorded run, fitted, and the real engine run over it on virtual
time.
"""
