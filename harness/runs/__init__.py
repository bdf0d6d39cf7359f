"""A run from its beginning to its end: prepared, begun, going on, resumed, described."""
