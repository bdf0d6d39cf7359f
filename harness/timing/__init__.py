"""The analysis of times: bounds, losses, which call waited for which, scaling, and when a run
ends.
"""
