"""Built-in workflows: plain async functions `(step, topic) -> output`.

Their prompts stand beside them as data.
"""
