"""The way to a model: an OpenAI-compatible endpoint over HTTP, its streams, and every way in which
it can fail.
"""
