"""A report as one document, and its three renderers: for a terminal, as Markdown, and as plain
text.
"""
