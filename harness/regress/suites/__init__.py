"""A suite from its file to its verdict."""
