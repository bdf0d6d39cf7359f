"""Built-in workflows: plain async functions `(step, topic) -> output`, with their prompts beside
them as data.
"""
